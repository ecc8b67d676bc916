/** Byte strings of which a few stay in memory and the others go to a folder, until they are taken. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

export class Spill {
  readonly #folder: string;
  readonly #limit: number;
  readonly #held = new Map<string, Uint8Array>();
  readonly #files = new Map<string, string>();
  #count = 0;

  /** @param limit how many stay in memory */
  constructor(folder: string, limit: number) {
    this.#folder = folder;
    this.#limit = limit;
  }

  /** How many are in memory. */
  get held(): number {
    return this.#held.size;
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    if (this.#held.size < this.#limit) {
      this.#held.set(key, bytes);
      return;
    }
    const file = join(this.#folder, `${this.#count++}`);
    this.#files.set(key, file);
    await writeFile(file, bytes);
  }

  /** It stays where it is. */
  async get(key: string): Promise<Uint8Array> {
    const held = this.#held.get(key);
    if (held !== undefined) return held;
    const file = this.#files.get(key);
    if (file === undefined) throw new Error(`${key} is not there`);
    return readFile(file);
  }

  async drop(key: string): Promise<void> {
    this.#held.delete(key);
    const file = this.#files.get(key);
    this.#files.delete(key);
    if (file !== undefined) await rm(file, { force: true });
  }
}
