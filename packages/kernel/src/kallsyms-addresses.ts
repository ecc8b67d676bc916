/**
 * kallsyms_offsets and kallsyms_relative_base. They stand right before kallsyms_num_syms (older kernels) or right after
 * kallsyms_token_index (newer). An offset is 32 bits: the unsigned distance from the base, or, where the kernel keeps per-cpu symbols
 * absolute, the address itself if it is not negative, else base - 1 - offset. Which of the four it is, the decoded addresses tell: only
 * one of them ascends and starts the text section with _text or _stext. Where labels are aligned
 * to 4 bytes, there is no base: offsets stand after kallsyms_token_index, and each is the signed distance from its own place.
 */
import { type ByteOrder, viewOf } from "@suture/elf";
import { type AddressSpace, type KernelAddress, offsetBy } from "./address.ts";
import { align, type Unit } from "./kallsyms-tokens.ts";

export interface AddressRows {
  /** Ranks of the addresses (see AddressSpace). */
  ranks: Uint32Array;
  /** Byte offset of the first offset, and of the base, where there is one. */
  start: number;
  baseAt: number | undefined;
  /** Byte offset just after them. */
  end: number;
}

interface Beside {
  unit: Unit;
  count: number;
  /** Where kallsyms_num_syms stands. */
  countAt: number;
  /** Where the token index ends. */
  indexEnd: number;
}

/** @param address of the section */
export function addressCandidates(
  data: Uint8Array,
  { unit, count, countAt, indexEnd }: Beside,
  address: KernelAddress,
  order: ByteOrder,
  space: AddressSpace,
): AddressRows[] {
  const bias = space.value(address) & 7;
  const after = align(indexEnd, bias, unit);
  if (unit === 4) {
    const rows = fromThemselves(data, after, count, address, order, space);
    return rows === undefined ? [] : [rows];
  }
  const before = countAt - 8 - ((4 * count + 7) & ~7);
  const candidates: AddressRows[] = [];
  for (const start of [before, after])
    for (const perCpuAbsolute of [true, false]) {
      const rows = decodeAddresses(data, start, count, perCpuAbsolute, bias, order, space);
      if (rows !== undefined) candidates.push(rows);
    }
  return candidates;
}

function decodeAddresses(
  data: Uint8Array,
  start: number,
  count: number,
  perCpuAbsolute: boolean,
  bias: number,
  order: ByteOrder,
  space: AddressSpace,
): AddressRows | undefined {
  const baseAt = align(start + 4 * count, bias, 8);
  if (start < 0 || baseAt + 8 > data.length) return undefined;
  const view = viewOf(data, order);
  const base = space.of(view.i64(baseAt));
  if (!space.isInImage(base)) return undefined;
  const ranks = new Uint32Array(count);
  let last = 0;
  for (let i = 0; i < count; i++) {
    const address = perCpuAbsolute ? besidePerCpu(view.i32(start + 4 * i), base, space) : offsetBy(base, view.u32(start + 4 * i));
    const rank = space.rank(address);
    if (!space.holds(address) || rank < last) return undefined;
    ranks[i] = rank;
    last = rank;
  }
  return { ranks, start, baseAt, end: baseAt + 8 };
}

/** Of a section at that address. */
function fromThemselves(
  data: Uint8Array,
  start: number,
  count: number,
  section: KernelAddress,
  order: ByteOrder,
  space: AddressSpace,
): AddressRows | undefined {
  const end = start + 4 * count;
  if (end > data.length) return undefined;
  const view = viewOf(data, order);
  const ranks = new Uint32Array(count);
  let last = 0;
  for (let at = start; at < end; at += 4) {
    const address = offsetBy(section, at + view.i32(at));
    const rank = space.rank(address);
    if (!space.holds(address) || rank < last) return undefined;
    ranks[(at - start) / 4] = rank;
    last = rank;
  }
  return { ranks, start, baseAt: undefined, end };
}

/** The address of a symbol by its offset, where those of per-cpu symbols are kept as they are. */
function besidePerCpu(offset: number, base: KernelAddress, space: AddressSpace): KernelAddress {
  return offset >= 0 ? space.of(offset) : offsetBy(base, -1 - offset);
}
