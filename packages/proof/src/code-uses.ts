/**
 * What is said of places in an object's code by all that is not the code itself. A no-op of which something is said (a jump label, a static
 * call, a place that ftrace or an alternative overwrites) is more than padding.
 */
import { isSection, type Relocation, relocationsBySection, type Section, SHF } from "@suture/elf";
import type { Part, Parts } from "./items.ts";
import type { Entry, ObjectTable } from "./tables.ts";

/** What an entry can cover at most where it does not say how much: its length is a byte. */
const MOST_COVERED = 255;

/** Notes for the tools of the build, which no kernel has. */
const NOTES = /^\.discard/;

/** Bytes of code that something is said of, from the start of the section. */
export interface Saying {
  start: number;
  end: number;
  /** The table, or what all other data is called. */
  by: string;
}

const DATA = "data";

export class CodeUses {
  readonly #held = new Map<Part, Saying[]>();
  /** Places between instructions: where a jump goes, or where a description of the stack begins to hold. */
  readonly #edges = new Map<Part, Set<number>>();
  readonly #parts: Parts;

  constructor(parts: Parts, tables: readonly ObjectTable[]) {
    this.#parts = parts;
    for (const part of parts.all) if (part.role === "code") for (const { value } of part.symbols) this.#edge(part, value);
    const keys = new Set<Relocation>();
    for (const table of tables) for (const entry of table.entries) this.#entry(table, entry, keys);
    for (const [section, relocations] of relocationsBySection(parts.elf)) {
      if ((section.flags & SHF.ALLOC) === 0 || NOTES.test(section.name)) continue;
      for (const relocation of relocations) if (!keys.has(relocation)) this.#relocation(section, relocation);
    }
  }

  /** Whether nothing is said of any of the bytes, and nothing leads into the midst of them. */
  isFree(part: Part, from: number, to: number): boolean {
    return !this.#leadsInto(part, from, to) && this.#saidOf(part, from, to).length === 0;
  }

  /** Whether a branch on a static key is all that is said of the bytes. */
  isSwitch(part: Part, from: number, to: number): boolean {
    const [one, ...more] = this.#saidOf(part, from, to);
    return !this.#leadsInto(part, from, to) && more.length === 0 && one?.start === from && one.by === part.arch.tables.jumps;
  }

  /** All that is said, by the code that it is said of. */
  get sayings(): ReadonlyMap<Part, readonly Saying[]> {
    return this.#held;
  }

  #leadsInto(part: Part, from: number, to: number): boolean {
    for (const edge of this.#edges.get(part) ?? []) if (edge > from && edge < to) return true;
    return false;
  }

  #saidOf(part: Part, from: number, to: number): Saying[] {
    return (this.#held.get(part) ?? []).filter(({ start, end }) => start < to && end > from);
  }

  #entry({ kind, covers }: ObjectTable, { table, start, code, offset, relocations: [key] }: Entry, keys: Set<Relocation>): void {
    if (key !== undefined) keys.add(key);
    if (code.role !== "code") return;
    // An entry of a table of ranges is about no instruction by itself.
    if (kind.ranges === true) this.#edge(code, offset);
    else if (kind.covers === undefined) this.#hold(code, offset, 1, kind.section);
    else {
      const length = covers?.size === 1 ? table.data[start + covers.offset] : undefined;
      this.#hold(code, offset, Math.max(length ?? MOST_COVERED, 1), kind.section);
    }
  }

  #relocation(section: Section, { symbol, type, addend, offset }: Relocation): void {
    const place = symbol?.place;
    const part = place !== undefined && isSection(place) ? this.#parts.of(place) : undefined;
    if (symbol === undefined || part?.role !== "code") return;
    const at = symbol.value + addend;
    const { relocations, code } = this.#parts.arch;
    const from = this.#parts.of(section);
    // Tables and code say where to go on.
    if ((section.flags & SHF.EXECINSTR) === 0) {
      if (from?.role === "table") this.#edge(part, at);
      else this.#hold(part, at, 1, DATA);
    } else if (!relocations.isPcRelative(type)) this.#edge(part, at);
    else if (code.jumpsOrLoadsAddress(section.data, offset)) this.#edge(part, at + code.branchToEnd);
    else for (const toEnd of code.fieldToEnds) this.#edge(part, at + toEnd);
  }

  #hold(part: Part, start: number, length: number, by: string): void {
    const list = this.#held.get(part);
    const held = { start, end: start + length, by };
    if (list === undefined) this.#held.set(part, [held]);
    else list.push(held);
  }

  #edge(part: Part, at: number): void {
    const set = this.#edges.get(part);
    if (set === undefined) this.#edges.set(part, new Set([at]));
    else set.add(at);
  }
}
