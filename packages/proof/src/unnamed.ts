/**
 * Constants that no symbol names (strings with zeros inside, large literals). The compiler puts them into .rodata in the order of the source. With a
 * section for each variable they stand there alone, in the plain build between the variables; so one is the other with what has a name left
 * out. Which constant is where, references say: each leads to the same constant in both builds. Every byte of both sections is accounted for.
 */
import { type Relocation, SHF } from "@suture/elf";
import { hasNoBytes, type Part } from "./items.ts";

export function isUnnamed({ section, symbols, role }: Part): boolean {
  return role === "data" && symbols.length === 0 && (section.flags & (SHF.WRITE | SHF.EXECINSTR)) === 0 && !hasNoBytes(section);
}

/** Code out of line that functions jump into, and that has no symbols: of each function one piece, in the order in which the compiler wrote the functions. */
export function isOutOfLine({ section, symbols, role }: Part): boolean {
  return role === "data" && symbols.length === 0 && (section.flags & SHF.EXECINSTR) !== 0 && !hasNoBytes(section);
}

/** A stretch of the unnamed section, and where the other build has it. Both in bytes from the starts of their sections. */
export interface Piece {
  offset: number;
  there: number;
  length: number;
}

export interface Referred {
  /** In the plain build's section. */
  there: number;
  /** The relocations that say so. */
  by: Set<Relocation>;
}

/**
 * @param references by places in `unnamed`: where in `plain` what refers there in the one build refers to in the other
 * @returns all of `unnamed` but padding; or why the constants are not those that stand between the variables of `plain`
 */
export function piecesOf(unnamed: Part, plain: Part, references: ReadonlyMap<number, Referred>): Piece[] | string {
  const anchors = [...references].sort(([a], [b]) => a - b);
  const [first] = anchors;
  if (first === undefined) return "nothing refers to it";
  const [start, { there: before }] = first;
  if (start !== 0 || !new Gap(plain, 0, before).isNamed()) return "its first constant is not the first without a name of the plain build";
  const pieces: Piece[] = [];
  for (const [i, [offset, { there: at, by }]] of anchors.entries()) {
    const [end, { there: next }] = anchors[i + 1] ?? [unnamed.section.size, { there: plain.section.size }];
    if (next <= at) return `${hex(offset)} and ${hex(end)} are in another order`;
    const gap = new Gap(plain, at, next);
    if (gap.covered) return `${hex(offset)} is in a variable`;
    const here = end - offset;
    const length = Math.min(here, gap.length);
    const align = Math.max(unnamed.section.align, gap.length < next - at ? plain.section.align : 1);
    const padded =
      Math.abs(here - gap.length) < align &&
      isZero(unnamed.section.data, offset + length, end) &&
      isZero(plain.section.data, at + length, at + gap.length);
    if (!padded || !gap.isNamedBehind()) return `${hex(offset)} is ${here} bytes long, not ${gap.length}`;
    // What is missing at the end is padding, unless all is zeros and the one reference means a place a little before.
    if (here < gap.length && by.size < 2 && isZero(unnamed.section.data, offset, end))
      return `${hex(offset)} holds zeros, and too few of them`;
    pieces.push({ offset, there: at, length });
  }
  return pieces;
}

/**
 * Of code out of line: each piece goes from where something leads to it to the next, in whatever order.
 * @returns all of it; or why the two builds do not have the same pieces
 */
export function outOfLinePiecesOf(own: Part, plain: Part, references: ReadonlyMap<number, Referred>): Piece[] | string {
  const pieces = [...references].map(([offset, { there }]) => ({ offset, there }));
  const ends = (of: "offset" | "there", size: number): Map<number, number> => {
    const starts = pieces.map((piece) => piece[of]).sort((a, b) => a - b);
    return new Map(starts.map((start, i) => [start, starts[i + 1] ?? size]));
  };
  const [here, there] = [ends("offset", own.section.size), ends("there", plain.section.size)];
  if (here.size !== there.size) return "two of its pieces are one in the plain build";
  if (!here.has(0) || !there.has(0)) return "nothing refers to its beginning";
  const found: Piece[] = [];
  for (const { offset, there: at } of pieces) {
    const length = (here.get(offset) ?? 0) - offset;
    const plainLength = (there.get(at) ?? 0) - at;
    if (length !== plainLength) return `${hex(offset)} is ${length} bytes long, not ${plainLength}`;
    found.push({ offset, there: at, length });
  }
  return found;
}

/** Part of a section: bytes without a name, and then variables with padding between them. */
class Gap {
  /** Bytes before the first variable. */
  readonly length: number;
  /** Whether it starts inside of a variable. */
  readonly covered: boolean;
  readonly #part: Part;
  readonly #start: number;
  readonly #end: number;

  constructor(part: Part, start: number, end: number) {
    this.#part = part;
    this.#start = start;
    this.#end = end;
    this.covered = part.symbols.some(({ value, size }) => value <= start && start < value + Math.max(size, 1));
    this.length = Math.min(end, ...part.symbols.map(({ value }) => value).filter((value) => value >= start)) - start;
  }

  /** Whether nothing is there but variables. */
  isNamed(): boolean {
    return this.#isPaddedFrom(this.#start);
  }

  isNamedBehind(): boolean {
    return this.#isPaddedFrom(this.#start + this.length);
  }

  #isPaddedFrom(start: number): boolean {
    const { section, symbols } = this.#part;
    let from = start;
    for (const { value, size } of symbols.filter((symbol) => symbol.value >= start && symbol.value < this.#end).sort(byPlace)) {
      if (!this.#isPadding(from, value)) return false;
      from = Math.max(from, value + size);
    }
    return from === this.#end || (from < this.#end && this.#end - from < section.align && isZero(section.data, from, this.#end));
  }

  #isPadding(from: number, to: number): boolean {
    const { section } = this.#part;
    return to <= from || (to - from < section.align && isZero(section.data, from, to));
  }
}

function byPlace(a: { value: number }, b: { value: number }): number {
  return a.value - b.value;
}

function isZero(data: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (data[i] !== 0) return false;
  return true;
}

function hex(offset: number): string {
  return `+ 0x${offset.toString(16)}`;
}
