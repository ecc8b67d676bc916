/**
 * Cuts an object into items: what a patch can carry by itself. A function, a data object, a section without symbols, or one element of a
 * pool. From here on every relocation is a reference to an item or to an undefined symbol; none is to a section symbol.
 */
import { type Arch, archOf } from "@suture/arch";
import {
  type ElfObject,
  type ElfSymbol,
  firstFrom,
  type Relocation,
  relocationsBySection,
  type Section,
  SHF,
  SHT,
  STB,
  STT,
  symbolsBySection,
} from "@suture/elf";
import type { SutureError } from "@suture/errors";
import { Resolver } from "./references.ts";
import { type Build, roleOf, type SectionRole } from "./sections.ts";

export interface Item {
  arch: Arch;
  kind: "function" | "object" | "anonymous" | "element";
  role: SectionRole;
  /** The first symbol's name; for elements and anonymous items the section's name and offset. */
  name: string;
  /** All symbols that start here, aliases too: global, then local, then weak ones. Empty for anonymous items and elements. */
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

export interface Cut {
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

export function cut(elf: ElfObject, build: Build): Cut {
  const relocations = relocationsBySection(elf);
  const symbols = symbolsBySection(elf);
  const arch = archOf(elf);
  const cuts = new Map(arch.tables.outOfLine.map((name) => [name, referencedOffsets(elf, name, relocations, arch)]));
  const resolver = new Resolver(elf);
  const items: Item[] = [];
  const cutSections: [Section, Item[]][] = [];
  for (const section of elf.sections) {
    const role = roleOf(section, build, arch);
    const list =
      role === "ignored" || role === "table" || role === "pool"
        ? []
        : itemsOf(arch, section, role, symbols.get(section) ?? [], cuts.get(section.name) ?? [], relocations.get(section) ?? []);
    resolver.add(section, role, list);
    if (list.length === 0) continue;
    cutSections.push([section, list]);
    for (const item of list) items.push(item);
  }
  for (const [section, list] of cutSections) attachRefs(section, list, relocations.get(section) ?? [], resolver);
  const all = new Map<Item, readonly Ref[]>();
  return {
    elf,
    arch,
    items,
    elements: () => resolver.elements(),
    relocations,
    resolve: (section, relocation, at) => resolver.resolve(section, relocation, at),
    refsOf(item) {
      if (item.kind !== "function" || item.beside.length < 2) return item.refs;
      let refs = all.get(item);
      if (refs === undefined) {
        refs = resolver.withImplied(item);
        all.set(item, refs);
      }
      return refs;
    },
  };
}

/** Offsets into `name` that something refers to, for sections without symbols. */
function referencedOffsets(elf: ElfObject, name: string, relocations: Map<Section, Relocation[]>, arch: Arch): number[] {
  const section = elf.sections.find((s) => s.name === name);
  if (section === undefined) return [];
  const offsets = new Set<number>();
  for (const [from, list] of relocations)
    for (const r of list)
      if (r.symbol?.place === section)
        offsets.add(r.symbol.value + r.addend + (arch.relocations.isPcRelative(r.type) && isCode(from) ? arch.code.branchToEnd : 0));
  return [...offsets].filter((o) => o >= 0 && o < section.size).sort((a, b) => a - b);
}

function itemsOf(arch: Arch, section: Section, role: SectionRole, symbols: ElfSymbol[], cuts: number[], relocations: Relocation[]): Item[] {
  const kind = isCode(section) ? ("function" as const) : ("object" as const);
  const wanted = kind === "function" ? STT.FUNC : STT.OBJECT;
  const isPrefix = (symbol: ElfSymbol): boolean => arch.code.paddingPrefixes.some((start) => symbol.name.startsWith(start));
  const starts = symbols.filter((s) => !isPrefix(s) && (s.type === wanted || (s.type === STT.NOTYPE && s.bind !== STB.LOCAL)));
  if (starts.length === 0) return anonymousItems(arch, section, role, cuts);
  const groups = groupStarts(starts);
  const prefixes = new Map(symbols.filter(isPrefix).map((s) => [s.value + s.size, s.value]));
  const withPrefix = (value: number): number => prefixes.get(value) ?? value;
  const items: Item[] = [];
  groups.forEach((group, i) => {
    const next = groups[i + 1];
    // Bytes before the first symbol belong to it, a prefix to the function that it stands before.
    const start = i === 0 ? 0 : withPrefix(group.value);
    const end = next === undefined ? section.size : withPrefix(next.value);
    const padded = groups.length > 1 && group.end > group.value && group.end < end && isPadding(arch, section, group.end, end, relocations);
    items.push({
      arch,
      kind,
      role,
      name: group.symbols[0]?.name ?? section.name,
      symbols: group.symbols,
      labels: group.labels,
      section,
      start,
      end: padded ? group.end : end,
      entry: group.value - start,
      refs: [],
      beside: items,
    });
  });
  return items;
}

interface StartGroup {
  value: number;
  /** The end that the symbols' sizes say. */
  end: number;
  symbols: ElfSymbol[];
  labels: ElfSymbol[];
}

/** Symbols by the place where they start. One inside of another that has a size is a label in it. */
function groupStarts(symbols: ElfSymbol[]): StartGroup[] {
  const groups: StartGroup[] = [];
  for (const symbol of [...symbols].sort((a, b) => a.value - b.value)) {
    const last = groups[groups.length - 1];
    const end = symbol.value + symbol.size;
    if (last !== undefined && (symbol.value === last.value || symbol.value < last.end)) {
      (symbol.value === last.value ? last.symbols : last.labels).push(symbol);
      last.end = Math.max(last.end, end);
    } else groups.push({ value: symbol.value, end, symbols: [symbol], labels: [] });
  }
  for (const group of groups) group.symbols.sort((a, b) => rank(a) - rank(b) || b.size - a.size || (a.name < b.name ? -1 : 1));
  return groups;
}

/** A weak name comes last: another object's definition may have taken it. */
function rank(symbol: ElfSymbol): number {
  return symbol.bind === STB.GLOBAL ? 0 : symbol.bind === STB.LOCAL ? 1 : 2;
}

/** Bytes that only align what follows. */
function isPadding(arch: Arch, section: Section, start: number, end: number, relocations: Relocation[]): boolean {
  const next = relocations[firstFrom(relocations, start)];
  if (next !== undefined && next.offset < end) return false;
  if (section.type === SHT.NOBITS) return true;
  const bytes = section.data.subarray(start, end);
  return isCode(section) ? arch.code.isPadding(bytes) : bytes.every((byte) => byte === 0);
}

function anonymousItems(arch: Arch, section: Section, role: SectionRole, cuts: number[]): Item[] {
  if (section.size === 0) return [];
  const bounds = cuts.length === 0 ? [0, section.size] : [...new Set([0, ...cuts, section.size])];
  const items: Item[] = [];
  for (const [i, start] of bounds.slice(0, -1).entries())
    items.push({
      arch,
      kind: "anonymous",
      role,
      name: bounds.length === 2 ? section.name : `${section.name}+0x${start.toString(16)}`,
      symbols: [],
      labels: [],
      section,
      start,
      end: bounds[i + 1] ?? section.size,
      entry: 0,
      refs: [],
      beside: items,
    });
  return items;
}

function attachRefs(section: Section, items: Item[], relocations: Relocation[], resolver: Resolver): void {
  let index = 0;
  for (const relocation of relocations) {
    while (index < items.length - 1 && relocation.offset >= (items[index + 1]?.start ?? 0)) index++;
    const item = items[index];
    item?.refs.push(resolver.resolve(section, relocation, relocation.offset - item.start));
  }
}
