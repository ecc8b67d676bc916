/** String tables: NUL-ended names at offsets, read with a bound on the whole, and built in a fixed order. */
import { fail } from "./errors.ts";

/** Longer than any name that the kernel (KSYM_NAME_LEN 512) or gcc makes. */
const LONGEST_NAME = 4096;

export class StringReader {
  readonly #bytes: Uint8Array;
  /** The same, as it is read: a byte is a character. (What TextDecoder calls latin1 is another set in newer releases of Node.) */
  readonly #text: Buffer;
  readonly #file: string;
  readonly #fileOffset: number;
  #budget: number;
  readonly #known = new Map<number, string>();

  /** @param budget bytes that all different names together may have: tables share tails, and a hostile one shares them without end */
  constructor(bytes: Uint8Array, file: string, fileOffset: number, budget: number) {
    this.#bytes = bytes;
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#file = file;
    this.#fileOffset = fileOffset;
    this.#budget = budget;
  }

  /** @param from byte offset in the file of the record that holds the reference, for errors */
  at(offset: number, from: number): string {
    if (offset === 0 && this.#bytes[0] === 0) return "";
    const known = this.#known.get(offset);
    if (known !== undefined) return known;
    const end = offset < this.#bytes.length ? this.#bytes.indexOf(0, offset) : -1;
    if (end < 0 || end - offset > LONGEST_NAME)
      throw fail(
        "ELF_BAD_STRING",
        `the name at ${offset} of the string table at ${this.#fileOffset} (${this.#bytes.length} bytes) does not end`,
        { file: this.#file, offset: from },
      );
    this.#budget -= end - offset;
    if (this.#budget < 0)
      throw fail("ELF_BAD_STRING", "the names of the string table overlap so much that no tool made them", {
        file: this.#file,
        offset: from,
      });
    const name = this.#text.toString("latin1", offset, end);
    this.#known.set(offset, name);
    return name;
  }
}

/** Builds a string table: starts from an existing one where there is one, and appends what it lacks. */
export class StringBuilder {
  readonly #parts: Uint8Array[];
  readonly #start: Uint8Array;
  readonly #known = new Map<string, number>();
  #size: number;

  constructor(start?: Uint8Array) {
    this.#start = start !== undefined && start.length > 0 ? start : new Uint8Array(1);
    this.#parts = [this.#start];
    this.#size = this.#start.length;
    this.#known.set("", 0);
  }

  /** @param origin where the name stood in the table that the builder started from */
  add(name: string, origin?: number): number {
    if (origin !== undefined && this.#stands(name, origin)) return origin;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const bytes = Buffer.from(`${name}\0`, "latin1");
    const offset = this.#size;
    this.#parts.push(bytes);
    this.#size += bytes.length;
    this.#known.set(name, offset);
    return offset;
  }

  #stands(name: string, origin: number): boolean {
    const end = origin + name.length;
    if (end >= this.#start.length || this.#start[end] !== 0) return false;
    for (let i = 0; i < name.length; i++) if (this.#start[origin + i] !== name.charCodeAt(i)) return false;
    return true;
  }

  bytes(): Uint8Array {
    return this.#parts.length === 1 ? this.#start : Buffer.concat(this.#parts);
  }
}
