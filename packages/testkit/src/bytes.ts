/** A growing row of bytes: what the test files are assembled with. */
import { type ByteOrder, type ByteView, viewOf } from "@suture/elf";

export class Bytes {
  readonly #parts: Uint8Array[] = [];
  readonly #order: ByteOrder;
  length = 0;

  constructor(order: ByteOrder = "little") {
    this.#order = order;
  }

  put(bytes: Uint8Array | readonly number[]): this {
    this.#parts.push(Uint8Array.from(bytes));
    this.length += bytes.length;
    return this;
  }

  u16(value: number): this {
    return this.#number(2, (view) => view.setU16(0, value));
  }

  u32(value: number): this {
    return this.#number(4, (view) => view.setU32(0, value));
  }

  /** A signed Number in 64 bits. */
  i64(value: number): this {
    return this.#number(8, (view) => view.setI64(0, value));
  }

  #number(size: number, write: (view: ByteView) => void): this {
    const bytes = new Uint8Array(size);
    write(viewOf(bytes, this.#order));
    return this.put(bytes);
  }

  text(value: string): this {
    return this.put(Buffer.from(value, "latin1"));
  }

  zeros(count: number): this {
    return this.put(new Uint8Array(count));
  }

  /** Zeros up to a multiple of `to`. */
  align(to: number): this {
    return this.zeros((to - (this.length % to)) % to);
  }

  done(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#parts));
  }
}
