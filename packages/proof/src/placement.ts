/**
 * Where each part of the object is in the ground. A part is placed by its symbols: the one base at which all of them are the ground's. Parts
 * without such symbols are placed by what placed code and table entries refer to. Nothing is taken for granted here: verify.ts then holds
 * every symbol, byte and reference against these bases.
 */
import type { Arch } from "@suture/arch";
import { viewOf } from "@suture/elf";
import { hasNoBytes, isWeak, type Part, type Parts } from "./items.ts";
import { targetOf } from "./references.ts";
import type { RunningCode } from "./running-code.ts";
import { isFilledLater } from "./sections.ts";
import { firstKey, type RunningTables, type TableIndex } from "./table-index.ts";
import type { Entry, ObjectTable } from "./tables.ts";

export interface Placement {
  /** The bases; a part that is not here has no place. */
  bases: ReadonlyMap<Part, number>;
  /** Parts without a symbol, with bytes, that code refers to at one base only: what runs refers to these bytes there. */
  vouched: ReadonlySet<Part>;
  /** Parts that could be in several places, and nothing tells which. */
  ambiguous: ReadonlyMap<Part, readonly number[]>;
}

export function placeParts(parts: Parts, tables: readonly ObjectTable[], running: RunningCode, index: RunningTables): Placement {
  return new Placing(parts, tables, running, index).run();
}

class Placing {
  readonly #parts: Parts;
  readonly #tables: readonly ObjectTable[];
  readonly #running: RunningCode;
  readonly #index: RunningTables;
  readonly #bases = new Map<Part, number>();
  /** Bases that the symbols leave open. */
  readonly #open = new Map<Part, readonly number[]>();
  /** How many references would be right with the part at each base. */
  readonly #votes = new Map<Part, Map<number, number>>();
  /** The bases that references of code call for. */
  readonly #byCode = new Map<Part, Set<number>>();
  readonly #counted = new Set<Entry>();

  constructor(parts: Parts, tables: readonly ObjectTable[], running: RunningCode, index: RunningTables) {
    this.#parts = parts;
    this.#tables = tables;
    this.#running = running;
    this.#index = index;
  }

  run(): Placement {
    for (const part of this.#parts.all) if (part.role === "code" || part.role === "data") this.#placeBySymbols(part);
    let fresh = [...this.#bases.keys()];
    while (fresh.length > 0) {
      for (const part of fresh) this.#countReferences(part);
      for (const table of this.#tables) this.#countEntries(table);
      fresh = this.#placeByVotes();
    }
    for (const [part, candidates] of this.#open) {
      const fitting = candidates.filter((base) => this.#referencesFit(part, base));
      const [only] = fitting;
      if (fitting.length === 1 && only !== undefined) this.#bases.set(part, only);
    }
    const ambiguous = new Map([...this.#open].filter(([part]) => !this.#bases.has(part)));
    return { bases: this.#bases, ambiguous, vouched: new Set([...this.#byCode.keys()].filter((part) => this.#isVouched(part))) };
  }

  #isVouched(part: Part): boolean {
    const [base, ...more] = this.#byCode.get(part) ?? [];
    return (
      more.length === 0 && base === this.#bases.get(part) && part.symbols.length === 0 && part.role === "data" && !hasNoBytes(part.section)
    );
  }

  #placeBySymbols(part: Part): void {
    const named = part.symbols.filter((symbol) => !isWeak(symbol));
    // Where there are weak symbols only, the part is at least where one of them is the kernel's.
    const count = votesOf(named.length > 0 ? named : part.symbols, this.#running);
    const most = Math.max(0, ...count.values());
    const best = [...count].filter(([, votes]) => votes === most).map(([base]) => base);
    const fitting = best.length > 1 ? best.filter((base) => this.#bytesFit(part, base)) : best;
    const [only] = fitting;
    const agreed = most === named.filter(({ name }) => this.#running.named(name).length > 0).length;
    if (fitting.length === 1 && only !== undefined) this.#bases.set(part, only);
    // Where the symbols do not agree, no base is right: the first is as good as any to say what differs.
    else if (!agreed && best[0] !== undefined) this.#bases.set(part, best[0]);
    else if (best.length > 1) this.#open.set(part, fitting.length > 0 ? fitting : best);
  }

  #placeByVotes(): Part[] {
    const placed: Part[] = [];
    for (const [part, votes] of this.#votes) {
      if (this.#bases.has(part)) continue;
      const open = this.#open.get(part);
      const possible = [...votes].filter(([base]) => open === undefined || open.includes(base));
      const most = Math.max(0, ...possible.map(([, count]) => count));
      const best = possible.filter(([, count]) => count === most);
      const [only, ...more] = best.length > 1 ? best.filter(([base]) => this.#bytesFit(part, base)) : best;
      if (only === undefined || more.length > 0) continue;
      this.#bases.set(part, only[0]);
      placed.push(part);
    }
    return placed;
  }

  #countReferences(part: Part): void {
    const base = this.#bases.get(part);
    const bytes = base === undefined ? undefined : this.#running.read(base, part.section.size);
    if (base === undefined || bytes === undefined) return;
    this.#count(part.relocations, bytes, 0, base, part.role === "code");
  }

  #countEntries(table: ObjectTable): void {
    for (const entry of table.entries) {
      const base = this.#bases.get(entry.code);
      const [key] = entry.relocations;
      if (base === undefined || key === undefined || this.#counted.has(entry)) continue;
      this.#counted.add(entry);
      const index = this.#index.get(table.kind, table.size);
      if (index === undefined) continue;
      for (const number of entriesFor(index, base + entry.offset)) {
        const at = number * table.size;
        const bytes = index.entries.bytes.subarray(at, at + table.size);
        if (bytesAgree(this.#parts.arch, entry.table.data.subarray(entry.start, entry.end), bytes, entry.relocations, entry.start))
          this.#count(entry.relocations.slice(1), bytes, entry.start, index.entries.address + at);
      }
    }
  }

  /** @param start of the relocations' span in its section; `bytes` and `address` are what the ground has there */
  #count(relocations: Part["relocations"], bytes: Uint8Array, start: number, address: number, byCode = false): void {
    const view = viewOf(bytes, this.#running.order);
    for (const relocation of relocations) {
      const target = targetOf(relocation, this.#parts);
      if (target.kind !== "part" || this.#parts.arch.relocations.fieldSize(relocation.type) === undefined) continue;
      if (this.#bases.has(target.part)) continue;
      const at = relocation.offset - start;
      const value = this.#running.refersTo(view, at, relocation.type, address + at);
      if (value === undefined || Number.isNaN(value)) continue;
      const base = value - relocation.addend - target.offset;
      let votes = this.#votes.get(target.part);
      if (votes === undefined) {
        votes = new Map();
        this.#votes.set(target.part, votes);
      }
      votes.set(base, (votes.get(base) ?? 0) + 1);
      if (byCode) this.#byCode.set(target.part, (this.#byCode.get(target.part) ?? new Set()).add(base));
    }
  }

  #bytesFit(part: Part, base: number): boolean {
    const bytes = this.#running.read(base, part.section.size);
    const data = hasNoBytes(part.section) ? new Uint8Array(part.section.size) : part.section.data;
    return bytes !== undefined && (isFilledLater(part.section.name) || bytesAgree(part.arch, data, bytes, part.relocations, 0));
  }

  #referencesFit(part: Part, base: number): boolean {
    const bytes = this.#running.read(base, part.section.size);
    if (bytes === undefined) return false;
    const view = viewOf(bytes, this.#running.order);
    return part.relocations.every((relocation) => {
      const value = this.#running.refersTo(view, relocation.offset, relocation.type, base + relocation.offset);
      const target = targetOf(relocation, this.#parts);
      if (value === undefined) return false;
      const address = value - relocation.addend;
      if (target.kind === "name") return this.#running.globals(target.symbol.name).includes(address);
      if (target.kind !== "part" || target.part === part) return true;
      const known = this.#bases.get(target.part);
      return known === undefined || known === address - target.offset;
    });
  }
}

/** How many of the symbols are the ground's with their section at each base. */
function votesOf(symbols: Part["symbols"], running: RunningCode): Map<number, number> {
  const count = new Map<number, number>();
  for (const { name, value } of symbols)
    for (const base of new Set(running.named(name).map((address) => address - value))) count.set(base, (count.get(base) ?? 0) + 1);
  return count;
}

/** Numbers of the entries about the code at that address. */
function* entriesFor(index: TableIndex, key: number): Generator<number> {
  for (let i = firstKey(index, key); index.keys[i] === key; i++) yield index.order[i] as number;
}

/** Whether the bytes outside of relocations are equal. @param start of the relocations' span in their section */
function bytesAgree(
  { relocations: { fieldSize } }: Arch,
  data: Uint8Array,
  bytes: Uint8Array,
  relocations: Part["relocations"],
  start: number,
): boolean {
  let from = 0;
  for (const { offset, type } of relocations) {
    if (!equal(data, bytes, from, offset - start)) return false;
    from = offset - start + (fieldSize(type) ?? 0);
  }
  return equal(data, bytes, from, data.length);
}

function equal(a: Uint8Array, b: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (a[i] !== b[i]) return false;
  return true;
}
