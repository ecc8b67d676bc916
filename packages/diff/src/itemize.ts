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
  SHT,
  STB,
  STT,
  symbolsBySection,
} from "@suture/elf";
import { type Item, type ItemizedObject, isCode, type Ref } from "./items.ts";
import { Resolver } from "./references.ts";
import { type Build, roleOf, type SectionRole } from "./sections.ts";

export function itemize(elf: ElfObject, build: Build): ItemizedObject {
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
