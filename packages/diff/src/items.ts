/** An item of an object, what it refers to, and the object as items: itemize.ts makes them. */
import type { Arch } from "@suture/arch";
import { type ElfObject, type ElfSymbol, type Relocation, type Section, SHF, SHT, STB } from "@suture/elf";
import type { SutureError } from "@suture/errors";
import type { SectionRole } from "./sections.ts";

export interface Item {
  arch: Arch;
  /** A row is an entry of a special table, where code hands its address on: rows.ts says whose it is. */
  kind: "function" | "object" | "anonymous" | "element" | "row";
  role: SectionRole;
  /** The first symbol's name; for elements, rows and anonymous items the section's name and offset. */
  name: string;
  /** All symbols that start here, aliases too: global, then local, then weak ones. Empty for anonymous items, elements and rows. */
  symbols: ElfSymbol[];
  /** Symbols in the middle of it. */
  labels: ElfSymbol[];
  section: Section;
  /** Byte range in the section, without padding. */
  start: number;
  end: number;
  /** Bytes from `start` to the symbol: padding that a call may use stands before a function's entry (__pfx_, __cfi_ symbols). */
  entry: number;
  /** What relocations say, in order of `at`. */
  refs: Ref[];
  /** The other items of its section, in order, itself included. */
  beside: readonly Item[];
}

export interface Ref {
  /** Byte offset of the field in the item. */
  at: number;
  /** R_* of the processor. */
  type: number;
  /** The item, or the symbol without a place in this object, that the field points to. */
  to: Item | ElfSymbol;
  /** What the field holds is address of `to` + addend (- address of the field). */
  addend: number;
  /** Where the reference really points, in bytes from the start of `to`: the addend without the distance to the instruction's end. */
  target: number;
  /** A call or jump, not a pointer that is kept. */
  branch: boolean;
  /** It could mean a neighbour of `to`: the end of the one before, or an element outside of the bounds (`a[i - 1]`). */
  loose: boolean;
  /** The assembler resolved it itself: there is no relocation in the object. */
  implied: boolean;
  /** The weak symbol by which the item is named. Another object of the kernel may define it. */
  weak: ElfSymbol | undefined;
  /** Why the reference cannot be carried. */
  fault: SutureError | undefined;
}

export interface ItemizedObject {
  elf: ElfObject;
  arch: Arch;
  /** In order of their sections and places; elements of pools are apart. */
  items: Item[];
  /** The elements of pools that anything refers to. */
  elements(): Item[];
  /** Relocations of each section in order of offset, those that mean nothing left out. */
  relocations: ReadonlyMap<Section, Relocation[]>;
  /** What a relocation of a special table refers to. `at`: the field's offset in its entry. */
  resolve(section: Section, relocation: Relocation, at: number): Ref;
  /** All references of an item, in order, with those that the assembler resolved within the section. */
  refsOf(item: Item): readonly Ref[];
}

export function isItem(to: Item | ElfSymbol): to is Item {
  return "refs" in to;
}

export function isCode(section: Section): boolean {
  return (section.flags & SHF.EXECINSTR) !== 0;
}

/** Size in bytes. */
export function sizeOf(item: Item): number {
  return item.end - item.start;
}

/** The contents; empty for objects that start as zeros (.bss). */
export function bytesOf(item: Item): Uint8Array {
  return item.section.type === SHT.NOBITS ? new Uint8Array(0) : item.section.data.subarray(item.start, item.end);
}

/** Whether other objects may refer to it by name. */
export function isGlobal(item: Item): boolean {
  return item.symbols.some((s) => s.bind !== STB.LOCAL);
}
