/** Damage as a hostile or broken file has it: any byte, and above all the numbers that the format's structure hangs on. */
import { recordsOf } from "../src/format.ts";
import { readElf } from "../src/read.ts";
import { type ByteOrder, viewOf } from "../src/view.ts";

/** Mulberry32: the same seed gives the same mutations everywhere. */
export function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

type Random = (below: number) => number;

/** A part of the file and the size of its records. */
interface Region {
  start: number;
  size: number;
  record: number;
}

export class Mutator {
  readonly #original: Uint8Array;
  readonly #random: Random;
  readonly #structure: Region[];
  readonly #order: ByteOrder;

  constructor(original: Uint8Array, random: Random) {
    this.#original = original;
    this.#random = random;
    const { format } = readElf(original, "original");
    const { Ehdr, Shdr } = recordsOf(format);
    this.#order = format.order;
    const view = viewOf(original, format.order);
    const header = Ehdr.cursor(view);
    const count = header.e_shnum;
    this.#structure = [
      { start: 0, size: Ehdr.size, record: Ehdr.size },
      { start: header.e_shoff, size: count * Shdr.size, record: Shdr.size },
    ];
    const c = Shdr.cursor(view);
    for (let i = 1; i < count; i++) {
      c.at = header.e_shoff + i * Shdr.size;
      // Tables: symbols, strings, relocations, groups, section indices.
      if ([2, 3, 4, 17, 18].includes(c.sh_type) && c.sh_size > 0)
        this.#structure.push({ start: c.sh_offset, size: c.sh_size, record: Math.max(c.sh_entsize, 1) });
    }
  }

  /** A damaged copy. */
  next(): Uint8Array {
    const random = this.#random;
    let bytes: Uint8Array = this.#original.slice();
    for (let times = 1 + random(3); times > 0; times--) bytes = this.#damage(bytes);
    return bytes;
  }

  #damage(bytes: Uint8Array): Uint8Array {
    const random = this.#random;
    if (bytes.length < 16) return bytes;
    // Most of what a section table says decides about the rest: it gets a third of all damage.
    const pick = random(9);
    const region = this.#structure[pick < 3 ? 1 : random(this.#structure.length)] ?? { start: 0, size: bytes.length, record: 1 };
    const { start, size, record } = pick === 8 ? { start: 0, size: bytes.length, record: 1 } : region;
    const at = Math.min(start + random(Math.max(size, 1)), bytes.length - 1);
    const view = viewOf(bytes, this.#order);
    switch (random(9)) {
      case 0:
        view.setU8(at, view.u8(at) ^ (1 << random(8)));
        return bytes;
      case 1:
        view.setU8(at, random(256));
        return bytes;
      case 2:
      case 3:
        return this.#number(bytes, at - (at % 4), 4);
      case 4:
      case 5:
        return this.#number(bytes, at - (at % 8), 8);
      case 6: {
        // One record over another.
        const from = start + record * random(Math.ceil(size / record));
        const to = start + record * random(Math.ceil(size / record));
        bytes.copyWithin(to, from, Math.min(from + record, bytes.length));
        return bytes;
      }
      case 7:
        bytes.fill(random(2) === 0 ? 0 : 0xff, at, at + 1 + random(64));
        return bytes;
      default:
        // Rare: after a cut most files are refused at once.
        return random(8) === 0 ? bytes.slice(0, random(bytes.length)) : this.#number(bytes, at - (at % 8), 8);
    }
  }

  #number(bytes: Uint8Array, at: number, width: 4 | 8): Uint8Array {
    if (at + width > bytes.length) return bytes;
    const random = this.#random;
    const view = viewOf(bytes, this.#order);
    const old = width === 4 ? view.u32(at) : view.u64(at);
    const size = bytes.length;
    const values = [
      0n,
      1n,
      0x7fn,
      0xffn,
      0xff00n,
      0xffffn,
      0x7fffffffn,
      0x80000000n,
      0xffffffffn,
      0x7fffffffffffffffn,
      0x8000000000000000n,
    ];
    values.push(0xffffffffffffffffn, BigInt(size), BigInt(size - 1), BigInt(size + 1), BigInt(random(size)), 1n << BigInt(random(64)));
    values.push(BigInt(old) + 1n, BigInt(old) - 1n, BigInt(old) * 2n, BigInt(old) + 0x1000n);
    const value = values[random(values.length)] ?? 0n;
    if (width === 4) view.setU32(at, Number(BigInt.asUintN(32, value)));
    else view.setU64(at, BigInt.asUintN(64, value));
    return bytes;
  }
}
