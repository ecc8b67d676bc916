/**
 * kallsyms_offsets and kallsyms_relative_base. They stand right before kallsyms_num_syms (older kernels) or right after
 * kallsyms_token_index (newer). An offset is 32 bits: the unsigned distance from the base, or, where the kernel keeps per-cpu symbols
 * absolute, the address itself if it is not negative, else base - 1 - offset. Which of the four it is, the decoded addresses tell: only
 * one of them ascends and starts the text section with _text or _stext. Where labels are aligned
 * to 4 bytes, there is no base: offsets stand after kallsyms_token_index, and each is the signed distance from its own place.
 */
import { type ByteOrder, viewOf } from "@suture/elf";
import { align, type Unit } from "./kallsyms-tokens.ts";
import { isKernelAddress } from "./layout.ts";

export interface AddressRows {
  /** Unsigned low halves of the addresses. */
  addresses: Uint32Array;
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
  address: number,
  order: ByteOrder,
): AddressRows[] {
  const bias = address & 7;
  const after = align(indexEnd, bias, unit);
  if (unit === 4) {
    const rows = fromThemselves(data, after, count, address, order);
    return rows === undefined ? [] : [rows];
  }
  const before = countAt - 8 - ((4 * count + 7) & ~7);
  const candidates: AddressRows[] = [];
  for (const start of [before, after])
    for (const perCpuAbsolute of [true, false]) {
      const rows = decodeAddresses(data, start, count, perCpuAbsolute, bias, order);
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
): AddressRows | undefined {
  const baseAt = align(start + 4 * count, bias, 8);
  if (start < 0 || baseAt + 8 > data.length) return undefined;
  const view = viewOf(data, order);
  const base = view.i64(baseAt);
  if (base >= 0 || !isKernelAddress(base)) return undefined;
  const addresses = new Uint32Array(count);
  let last = 0;
  for (let i = 0; i < count; i++) {
    const offset = view.i32(start + 4 * i);
    const address = perCpuAbsolute ? (offset >= 0 ? offset : base - 1 - offset) : base + (offset >>> 0);
    const key = address >>> 0;
    if (!isKernelAddress(address) || key < last) return undefined;
    addresses[i] = key;
    last = key;
  }
  return { addresses, start, baseAt, end: baseAt + 8 };
}

/** Of a section at that address. */
function fromThemselves(data: Uint8Array, start: number, count: number, section: number, order: ByteOrder): AddressRows | undefined {
  const end = start + 4 * count;
  if (end > data.length) return undefined;
  const view = viewOf(data, order);
  const addresses = new Uint32Array(count);
  let last = 0;
  for (let at = start; at < end; at += 4) {
    const address = section + at + view.i32(at);
    const key = address >>> 0;
    if (!isKernelAddress(address) || key < last) return undefined;
    addresses[(at - start) / 4] = key;
    last = key;
  }
  return { addresses, start, baseAt: undefined, end };
}
