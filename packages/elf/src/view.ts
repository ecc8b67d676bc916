/**
 * Numbers in bytes, of one byte order that is said once, when the view is made. 64-bit numbers are signed Numbers: exact within 2^53, which
 * holds for offsets, sizes and for kernel addresses (the top of the address space is small negative numbers); readers refuse others.
 */

import { endianness } from "node:os";

export type ByteOrder = "little" | "big";

/** That of the machine that this runs on. */
export const ownOrder: ByteOrder = endianness() === "BE" ? "big" : "little";

/** Class (EI_CLASS) and byte order (EI_DATA) of a file: how its numbers are written. */
export interface ElfFormat {
  bits: 32 | 64;
  order: ByteOrder;
}

export class ByteView {
  readonly length: number;
  readonly #view: DataView;
  readonly #little: boolean;

  constructor(bytes: Uint8Array, order: ByteOrder) {
    this.length = bytes.byteLength;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#little = order === "little";
  }

  u8(at: number): number {
    return this.#view.getUint8(at);
  }

  u16(at: number): number {
    return this.#view.getUint16(at, this.#little);
  }

  u24(at: number): number {
    return this.#little ? this.u16(at) + this.u8(at + 2) * 0x10000 : this.u8(at) * 0x10000 + this.u16(at + 1);
  }

  u32(at: number): number {
    return this.#view.getUint32(at, this.#little);
  }

  i32(at: number): number {
    return this.#view.getInt32(at, this.#little);
  }

  i64(at: number): number {
    return this.#little
      ? this.#view.getUint32(at, this.#little) + this.#view.getInt32(at + 4, this.#little) * 0x100000000
      : this.#view.getUint32(at + 4, this.#little) + this.#view.getInt32(at, this.#little) * 0x100000000;
  }

  u64(at: number): bigint {
    return this.#view.getBigUint64(at, this.#little);
  }

  setU8(at: number, value: number): void {
    this.#view.setUint8(at, value);
  }

  setU16(at: number, value: number): void {
    this.#view.setUint16(at, value, this.#little);
  }

  setU24(at: number, value: number): void {
    this.setU16(this.#little ? at : at + 1, value % 0x10000);
    this.setU8(this.#little ? at + 2 : at, Math.floor(value / 0x10000));
  }

  /** Of numbers that do not fit, the low 32 bits; so that it writes signed numbers too. */
  setU32(at: number, value: number): void {
    this.#view.setUint32(at, value, this.#little);
  }

  setI64(at: number, value: number): void {
    this.#view.setUint32(this.#little ? at : at + 4, value, this.#little);
    this.#view.setInt32(this.#little ? at + 4 : at, Math.floor(value / 0x100000000), this.#little);
  }

  setU64(at: number, value: bigint): void {
    this.#view.setBigUint64(at, value, this.#little);
  }
}

/** Over exactly the bytes of `bytes`. */
export function viewOf(bytes: Uint8Array, order: ByteOrder): ByteView {
  return new ByteView(bytes, order);
}
