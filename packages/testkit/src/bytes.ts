/** A growing row of bytes, little-endian: what the test files are assembled with. */
export class Bytes {
  readonly #parts: Uint8Array[] = [];
  length = 0;

  put(bytes: Uint8Array | readonly number[]): this {
    this.#parts.push(Uint8Array.from(bytes));
    this.length += bytes.length;
    return this;
  }

  u16(value: number): this {
    return this.put([value & 255, (value >>> 8) & 255]);
  }

  u32(value: number): this {
    return this.put([value & 255, (value >>> 8) & 255, (value >>> 16) & 255, (value >>> 24) & 255]);
  }

  /** A signed Number in 64 bits. */
  i64(value: number): this {
    return this.u32(value >>> 0).u32(Math.floor(value / 0x100000000));
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
