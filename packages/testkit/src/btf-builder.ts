/** Assembles BTF: types are added one by one and numbered from 1. */
import type { ByteOrder } from "@suture/elf";
import { Bytes } from "./bytes.ts";

export interface BuiltMember {
  name: string;
  type: number;
  /** Bits from the structure's start. */
  at: number;
  /** Width of a bit-field. */
  bits?: number;
}

export class BtfBuilder {
  readonly #order: ByteOrder;
  readonly #types: Bytes;
  readonly #strings = new Bytes().put([0]);
  #count = 0;

  constructor(order: ByteOrder = "little") {
    this.#order = order;
    this.#types = new Bytes(order);
  }

  name(text: string): number {
    if (text === "") return 0;
    const at = this.#strings.length;
    this.#strings.text(`${text}\0`);
    return at;
  }

  /** @param word the size or type; @param extra what follows the type, in 32-bit words */
  add(kind: number, name: string, word: number, extra: readonly number[] = [], vlen = 0, flag = false): number {
    this.#types
      .u32(this.name(name))
      .u32((((flag ? 1 : 0) << 31) | (kind << 24) | vlen) >>> 0)
      .u32(word);
    for (const value of extra) this.#types.u32(value);
    return ++this.#count;
  }

  int(name: string, size: number): number {
    return this.add(1, name, size, [size * 8]);
  }

  pointer(type: number): number {
    return this.add(2, "", type);
  }

  array(type: number, length: number): number {
    return this.add(3, "", 0, [type, type, length]);
  }

  struct(name: string, size: number, members: readonly BuiltMember[], kind: 4 | 5 = 4): number {
    const flag = members.some((member) => member.bits !== undefined);
    const extra = members.flatMap(({ name: member, type, at, bits = 0 }) => [
      this.name(member),
      type,
      flag ? ((bits << 24) | at) >>> 0 : at,
    ]);
    return this.add(kind, name, size, extra, members.length, flag);
  }

  typedef(name: string, type: number): number {
    return this.add(8, name, type);
  }

  func(name: string, returns: number, parameters: readonly { name: string; type: number }[]): number {
    const extra = parameters.flatMap((parameter) => [this.name(parameter.name), parameter.type]);
    const proto = this.add(13, "", returns, extra, parameters.length);
    return this.add(12, name, proto);
  }

  done(): Uint8Array {
    const { length } = this.#types;
    const out = new Bytes(this.#order).u16(0xeb9f).put([1, 0]).u32(24).u32(0).u32(length).u32(length).u32(this.#strings.length);
    return out.put(this.#types.done()).put(this.#strings.done()).done();
  }
}
