/**
 * Cuts an object into items: what a patch can carry by itself. A function, a data object, a section without symbols, or one element of a
 * pool. From here on every relocation is a reference to an item or to an undefined symbol; none is to a section symbol.
 */
import { type ElfObject, type ElfSymbol, isSection, type Relocation, relocationSections, type Section, SHF, SHT, STT } from "@suture/elf";
import { fail } from "./errors.ts";
import { type InstructionEnds, instructionEnds, outgoingBranches } from "./instructions.ts";
import { roleOf, type SectionRole } from "./sections.ts";
import { ALT_AUX, FIELD_TO_END, isBranchField, isNothing, isPcRelative } from "./x86-64.ts";

export interface Item {
  kind: "function" | "object" | "anonymous" | "element";
  role: SectionRole;
  /** The first symbol's name; for elements and anonymous items the section's name and offset. */
  name: string;
  /** All symbols that start here: aliases too. Empty for anonymous items and elements. */
  symbols: ElfSymbol[];
  section: Section;
  /** Byte range in the section. */
  start: number;
  end: number;
  /** Bytes from `start` to the symbol: padding that a call may use stands before a function's entry (__pfx_, __cfi_ symbols). */
  entry: number;
  /** In order of `at`. */
  refs: Ref[];
}

export interface Ref {
  /** Byte offset of the field in the item. */
  at: number;
  /** R_X86_64_* */
  type: number;
  /** The item, or the undefined symbol, that the field points to. */
  to: Item | ElfSymbol;
  /** What the field holds is address of `to` + addend (- address of the field). */
  addend: number;
  /** Where the reference really points, in bytes from the start of `to`: the addend without the distance to the instruction's end. */
  target: number;
  /** A call or jump, not a pointer that is kept. */
  branch: boolean;
  /** The two neighbours that a reference one past the end of the one and to the start of the other may mean. */
  ambiguous?: boolean;
  /** The assembler resolved the branch itself: there is no relocation in the object. */
  implied?: boolean;
}

export interface Cut {
  elf: ElfObject;
  /** In order of their sections and places; elements of pools are apart. */
  items: Item[];
  /** The elements of pools that anything refers to. */
  elements(): Item[];
  bySection: ReadonlyMap<Section, Item[]>;
  bySymbol: ReadonlyMap<ElfSymbol, Item>;
  /** Relocations of each section in order of offset, those that mean nothing left out. */
  relocations: ReadonlyMap<Section, Relocation[]>;
  /** What a relocation of `section` at `offset` points to; used for the special tables. */
  resolve(section: Section, relocation: Relocation): Omit<Ref, "at">;
}

export function isItem(to: Item | ElfSymbol): to is Item {
  return "refs" in to;
}

/** Size in bytes. */
export function sizeOf(item: Item): number {
  return item.end - item.start;
}

/** The contents; empty for objects that start as zeros (.bss). */
export function bytesOf(item: Item): Uint8Array {
  return item.section.type === SHT.NOBITS ? new Uint8Array(0) : item.section.data.subarray(item.start, item.end);
}

export function cut(elf: ElfObject): Cut {
  const relocations = sortedRelocations(elf);
  const bySection = new Map<Section, Item[]>();
  const bySymbol = new Map<ElfSymbol, Item>();
  const symbols = symbolsBySection(elf);
  const auxCuts = referencedOffsets(elf, ALT_AUX, relocations);
  for (const section of elf.sections) {
    const role = roleOf(section);
    if (role === "ignored" || role === "table") continue;
    const items = itemsOf(section, role, symbols.get(section) ?? [], section.name === ALT_AUX ? auxCuts : []);
    bySection.set(section, items);
    for (const item of items) for (const symbol of item.symbols) bySymbol.set(symbol, item);
  }
  const resolver = new Resolver(elf, bySection, bySymbol);
  const items = [...bySection.values()].flat();
  for (const [section, list] of bySection) attachRefs(section, list, relocations.get(section) ?? [], resolver);
  return {
    elf,
    items,
    elements: () => resolver.elements(),
    bySection,
    bySymbol,
    relocations,
    resolve: (section, relocation) => resolver.resolve(section, relocation),
  };
}

function sortedRelocations(elf: ElfObject): Map<Section, Relocation[]> {
  const map = new Map<Section, Relocation[]>();
  for (const [target, tables] of relocationSections(elf))
    map.set(
      target,
      tables
        .flatMap((t) => t.relocations)
        .filter((r) => !isNothing(r.type))
        .sort((a, b) => a.offset - b.offset),
    );
  return map;
}

function symbolsBySection(elf: ElfObject): Map<Section, ElfSymbol[]> {
  const map = new Map<Section, ElfSymbol[]>();
  for (const symbol of elf.symbols) {
    if (!isSection(symbol.place) || symbol.type === STT.SECTION || symbol.type === STT.FILE) continue;
    const list = map.get(symbol.place);
    if (list === undefined) map.set(symbol.place, [symbol]);
    else list.push(symbol);
  }
  return map;
}

/** Offsets into `name` that something refers to, for sections without symbols. */
function referencedOffsets(elf: ElfObject, name: string, relocations: Map<Section, Relocation[]>): number[] {
  const section = elf.sections.find((s) => s.name === name);
  if (section === undefined) return [];
  const offsets = new Set<number>();
  for (const [from, list] of relocations)
    for (const r of list)
      if (r.symbol?.place === section) offsets.add(r.symbol.value + r.addend + (isPcRelative(r.type) && isCode(from) ? 4 : 0));
  return [...offsets].filter((o) => o >= 0 && o < section.size).sort((a, b) => a - b);
}

function isCode(section: Section): boolean {
  return (section.flags & SHF.EXECINSTR) !== 0;
}

function itemsOf(section: Section, role: SectionRole, symbols: ElfSymbol[], cuts: number[]): Item[] {
  if (role === "pool") return [];
  const wanted = isCode(section) ? STT.FUNC : STT.OBJECT;
  const starts = symbols.filter((s) => !isPrefix(s) && (s.type === wanted || (s.type === STT.NOTYPE && s.bind !== 0)));
  if (starts.length === 0) return anonymousItems(section, role, cuts);
  const groups = new Map<number, ElfSymbol[]>();
  for (const symbol of starts) {
    const list = groups.get(symbol.value);
    if (list === undefined) groups.set(symbol.value, [symbol]);
    else list.push(symbol);
  }
  const sorted = [...groups].sort(([a], [b]) => a - b);
  const prefixes = new Map(symbols.filter(isPrefix).map((s) => [s.value + s.size, s.value]));
  const withPrefix = (value: number): number => prefixes.get(value) ?? value;
  return sorted.map(([value, group], i) => {
    // Bytes before the first symbol belong to it, bytes after one to that one, a prefix to the function that it stands before.
    const start = i === 0 ? 0 : withPrefix(value);
    const next = sorted[i + 1]?.[0];
    const end = next === undefined ? section.size : withPrefix(next);
    group.sort((a, b) => b.bind - a.bind || (a.name < b.name ? -1 : 1));
    return {
      kind: isCode(section) ? ("function" as const) : ("object" as const),
      role,
      name: group[0]?.name ?? section.name,
      symbols: group,
      section,
      start,
      end,
      entry: value - start,
      refs: [],
    };
  });
}

function isPrefix(symbol: ElfSymbol): boolean {
  return symbol.name.startsWith("__pfx_") || symbol.name.startsWith("__cfi_");
}

function anonymousItems(section: Section, role: SectionRole, cuts: number[]): Item[] {
  if (section.size === 0) return [];
  const bounds = cuts.length === 0 ? [0, section.size] : [...new Set([0, ...cuts, section.size])];
  return bounds.slice(0, -1).map((start, i) => ({
    kind: "anonymous" as const,
    role,
    name: bounds.length === 2 ? section.name : `${section.name}+0x${start.toString(16)}`,
    symbols: [],
    section,
    start,
    end: bounds[i + 1] ?? section.size,
    entry: 0,
    refs: [],
  }));
}

function attachRefs(section: Section, items: Item[], relocations: Relocation[], resolver: Resolver): void {
  let index = 0;
  for (const relocation of relocations) {
    while (index < items.length - 1 && relocation.offset >= (items[index]?.end ?? 0)) index++;
    const item = items[index];
    if (item === undefined) return;
    item.refs.push({ at: relocation.offset - item.start, ...resolver.resolve(section, relocation) });
  }
  if (items.length < 2 || !isCode(section)) return;
  // Several functions in one section: the assembler resolves branches between them without a relocation.
  for (const item of items) {
    const fields = new Set(item.refs.map((ref) => ref.at));
    const implied = outgoingBranches(bytesOf(item)).filter((branch) => !fields.has(branch.at));
    for (const branch of implied) {
      const to = itemAt(items, item.start + branch.target);
      if (to === undefined)
        throw fail("DIFF_REFERENCE", `a jump of ${item.name} leaves its section`, {
          section: section.name,
          symbol: item.name,
          offset: branch.at,
        });
      const target = item.start + branch.target - to.start;
      item.refs.push({ at: branch.at, type: branch.type, to, addend: target - branch.toEnd, target, branch: true, implied: true });
    }
    item.refs.sort((a, b) => a.at - b.at);
  }
}

/** The item that covers the offset; the last one for the section's end. */
function itemAt(items: Item[], offset: number): Item | undefined {
  if (offset < 0) return undefined;
  let low = 0;
  let high = items.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((items[middle]?.start ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  const item = items[low];
  return item !== undefined && offset <= item.end ? item : undefined;
}

class Resolver {
  readonly #elf: ElfObject;
  readonly #bySection: ReadonlyMap<Section, Item[]>;
  readonly #bySymbol: ReadonlyMap<ElfSymbol, Item>;
  readonly #elements = new Map<Section, Map<number, Item>>();
  readonly #ends = new Map<Section, InstructionEnds>();

  constructor(elf: ElfObject, bySection: ReadonlyMap<Section, Item[]>, bySymbol: ReadonlyMap<ElfSymbol, Item>) {
    this.#elf = elf;
    this.#bySection = bySection;
    this.#bySymbol = bySymbol;
  }

  elements(): Item[] {
    return [...this.#elements.values()].flatMap((byOffset) => [...byOffset.values()]);
  }

  resolve(from: Section, relocation: Relocation): Omit<Ref, "at"> {
    const { symbol, type, addend } = relocation;
    const where = { file: this.#elf.file, section: from.name, offset: relocation.offset };
    if (symbol === undefined) throw fail("DIFF_REFERENCE", "a relocation has no symbol", where);
    const code = isCode(from);
    const branch = code && isPcRelative(type) && isBranchField(from.data, relocation.offset);
    if (!isSection(symbol.place)) return { type, to: symbol, addend, target: code && isPcRelative(type) ? addend + 4 : addend, branch };
    const section = symbol.place;
    const toEnd = branch ? 4 : code && isPcRelative(type) ? undefined : 0;
    const role = roleOf(section);
    if (role === "ignored" || role === "table")
      throw fail("DIFF_REFERENCE", `a relocation points into ${section.name}`, where);
    // The section offset that the field's value is relative to, and the offsets that it may really mean.
    const base = symbol.value + addend;
    if (role === "pool") {
      // The assembler keeps the symbol of a pool's element in PC-relative references (see docs/object-diff.md), so the symbol says which.
      const at = symbol.type === STT.SECTION ? base + (toEnd ?? this.#endOf(from, relocation)) : symbol.value;
      const element = this.#element(section, at, where);
      return { type, to: element, addend: base - element.start, target: at - element.start, branch };
    }
    const named = this.#bySymbol.get(symbol);
    if (named !== undefined && symbol.type !== STT.SECTION)
      return { type, to: named, addend: base - named.start, target: base - named.start + (toEnd ?? 4), branch };
    const items = this.#bySection.get(section) ?? [];
    if (items.length === 1 && items[0] !== undefined) {
      const target = base + (toEnd ?? 4);
      return { type, to: items[0], addend: base, target, branch };
    }
    const target = toEnd === undefined ? this.#target(from, relocation, items, base) : base + toEnd;
    const item = itemAt(items, target);
    if (item === undefined) throw fail("DIFF_REFERENCE", `a relocation points to ${section.name}+${target}, where nothing is`, where);
    // Flags and descriptors are single things: nothing points one past them.
    const ambiguous = !branch && role !== "once" && role !== "dyndbg" && target === item.start && item !== items[0];
    return { type, to: item, addend: base - item.start, target: target - item.start, branch, ...(ambiguous ? { ambiguous } : {}) };
  }

  /** Where a PC-relative operand points, when its section holds several objects: the instruction's end decides, if it makes a difference. */
  #target(from: Section, relocation: Relocation, items: Item[], base: number): number {
    const hit = new Set(FIELD_TO_END.map((toEnd) => itemAt(items, base + toEnd)));
    return base + (hit.size === 1 ? 4 : this.#endOf(from, relocation));
  }

  /** Bytes from the field to the end of its instruction. */
  #endOf(from: Section, relocation: Relocation): number {
    let ends = this.#ends.get(from);
    if (ends === undefined) {
      ends = instructionEnds(from.data);
      this.#ends.set(from, ends);
    }
    const end = ends.after(relocation.offset);
    const toEnd = end - relocation.offset;
    if (!FIELD_TO_END.some((known) => known === toEnd))
      throw fail("DIFF_REFERENCE", "the instruction that holds a relocation could not be read", {
        file: this.#elf.file,
        section: from.name,
        offset: relocation.offset,
      });
    return toEnd;
  }

  /** One string or constant of a pool. */
  #element(section: Section, offset: number, where: { file: string; section: string; offset: number }): Item {
    const width = Math.max(section.entsize, 1);
    let start = Math.floor(offset / width) * width;
    let end = start + width;
    if ((section.flags & SHF.STRINGS) !== 0) {
      start = offset;
      end = stringEnd(section.data, start, width);
    }
    if (offset < 0 || end > section.data.length)
      throw fail("DIFF_REFERENCE", `a relocation points to ${section.name}+${offset}, outside of it`, where);
    let byOffset = this.#elements.get(section);
    if (byOffset === undefined) {
      byOffset = new Map();
      this.#elements.set(section, byOffset);
    }
    let element = byOffset.get(start);
    if (element === undefined) {
      element = {
        kind: "element",
        role: "pool",
        name: `${section.name}+0x${start.toString(16)}`,
        symbols: [],
        section,
        start,
        end,
        entry: 0,
        refs: [],
      };
      byOffset.set(start, element);
    }
    return element;
  }
}

function stringEnd(data: Uint8Array, start: number, width: number): number {
  for (let at = start; at + width <= data.length; at += width) {
    let zero = true;
    for (let i = 0; i < width; i++) if (data[at + i] !== 0) zero = false;
    if (zero) return at + width;
  }
  return Number.MAX_SAFE_INTEGER;
}
