/** The ground's special tables by the code that their entries are about. Made once for a kernel and kept with it. */
import { entryCount, type SpecialTable } from "@suture/arch";
import { viewOf } from "@suture/elf";
import { fail } from "./errors.ts";
import type { RunningCode, Stretch } from "./running-code.ts";

export interface TableIndex {
  entries: Stretch;
  beside: Stretch | undefined;
  /** Bytes of an entry. */
  size: number;
  /** Ascending: what the first field of each entry refers to. */
  keys: Float64Array;
  /** Entry numbers, in the order of `keys`; equal keys in table order. */
  order: Uint32Array;
}

export class RunningTables {
  readonly #running: RunningCode;
  readonly #made = new Map<string, TableIndex | undefined>();

  constructor(running: RunningCode) {
    this.#running = running;
  }

  /** Undefined if the ground has no such table. @param size of an entry, in bytes */
  get(kind: SpecialTable, size: number): TableIndex | undefined {
    if (!this.#made.has(kind.section)) this.#made.set(kind.section, makeIndex(this.#running, kind, size));
    return this.#made.get(kind.section);
  }
}

function makeIndex(running: RunningCode, kind: SpecialTable, size: number): TableIndex | undefined {
  const table = running.table(kind);
  if (table === undefined) return undefined;
  const { entries, beside } = table;
  // Tables are aligned to more than their entries at their end.
  const count = entryCount(entries.bytes.length, size, kind) ?? Math.floor(entries.bytes.length / size);
  if (entries.bytes.subarray(count * size).some((byte) => byte !== 0))
    throw fail("PROOF_BAD_TABLE", `${entries.bytes.length} bytes are no whole number of entries of ${size}`, { section: kind.section });
  const view = viewOf(entries.bytes, running.order);
  const found = new Float64Array(count);
  for (let i = 0; i < count; i++)
    found[i] = running.refersTo(view, i * size, kind.pointer, entries.address + i * size) ?? Number.NEGATIVE_INFINITY;
  const order = ascending(found) ? numbersBelow(count) : byKey(found);
  const keys = new Float64Array(count);
  for (let i = 0; i < count; i++) keys[i] = found[order[i] as number] as number;
  return { entries, beside, size, keys, order };
}

function numbersBelow(count: number): Uint32Array {
  const numbers = new Uint32Array(count);
  for (let i = 0; i < count; i++) numbers[i] = i;
  return numbers;
}

/** Positions in the order of their keys, equal ones as they stand. */
export function byKey(keys: Float64Array): Uint32Array {
  const count = keys.length;
  const whole = keys.every((key) => key === Number.NEGATIVE_INFINITY || (key >= 0 && (key + 2) * count <= Number.MAX_SAFE_INTEGER));
  // In numbers that hold key and position no function is called for each two.
  if (whole) {
    const packed = keys.map((key, i) => (key === Number.NEGATIVE_INFINITY ? 0 : key + 1) * count + i).sort();
    return Uint32Array.from(packed, (one) => one % count);
  }
  return numbersBelow(count).sort((a, b) => (keys[a] as number) - (keys[b] as number) || a - b);
}

function ascending(keys: Float64Array): boolean {
  for (let i = 1; i < keys.length; i++) if ((keys[i] as number) < (keys[i - 1] as number)) return false;
  return true;
}

/** Index of the first key that is not below. */
export function firstKey({ keys }: TableIndex, key: number): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as number) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
