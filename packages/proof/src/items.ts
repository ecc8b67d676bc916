/** An object as the proof sees it: sections with their relocations, cut into functions and variables. */
import { type Arch, archOf } from "@suture/arch";
import {
  type ElfObject,
  type ElfSymbol,
  type Relocation,
  relocationsBySection,
  type Section,
  SHF,
  SHT,
  STB,
  STT,
  symbolsBySection,
} from "@suture/elf";

/** A function or variable with what follows it up to the next; or the part of a section that no symbol names. */
export interface Item {
  section: Part;
  /** The symbols that start here; none for an unnamed part. */
  symbols: ElfSymbol[];
  start: number;
  end: number;
}

/** What a section is to the proof. */
export type Role =
  /** Functions. */
  | "code"
  /** Data, and code that no symbol names: pieces of alternatives. */
  | "data"
  /** Strings and constants that the linker merges: each is looked up where it is used. */
  | "merged"
  /** Entries about code, looked up by the code's place. */
  | "table"
  /** Not in the running kernel. */
  | "none";

/** A section of the object. */
export interface Part {
  arch: Arch;
  section: Section;
  role: Role;
  /** By offset, without those that mean nothing. */
  relocations: readonly Relocation[];
  /** By offset; together they cover the section. */
  items: readonly Item[];
  /** Symbols that the section defines, but the section's own. */
  symbols: readonly ElfSymbol[];
}

export interface Parts {
  elf: ElfObject;
  arch: Arch;
  all: readonly Part[];
  of(section: Section): Part | undefined;
}

export function partsOf(elf: ElfObject): Parts {
  const arch = archOf(elf);
  const { besides, tables } = tableNames(arch);
  const relocations = relocationsBySection(elf);
  const symbols = symbolsBySection(elf);
  const bySection = new Map<Section, Part>();
  for (const section of elf.sections) {
    const own = symbols.get(section) ?? [];
    const role = arch.tables.isBuildOnly(section.name) || besides.has(section.name) ? "none" : roleOf(section, own, tables);
    const part: Part = { arch, section, role, relocations: [], items: [], symbols: own };
    if (part.role !== "none") {
      part.relocations = relocations.get(section) ?? [];
      part.items = itemsOf(part);
    }
    bySection.set(section, part);
  }
  return { elf, arch, all: [...bySection.values()], of: (section) => bySection.get(section) };
}

function tableNames({ tables: { all } }: Arch): { besides: ReadonlySet<string>; tables: ReadonlySet<string> } {
  return { besides: new Set(all.map(({ beside }) => beside?.section ?? "")), tables: new Set(all.map(({ section }) => section)) };
}

function roleOf(section: Section, symbols: readonly ElfSymbol[], tables: ReadonlySet<string>): Role {
  if ((section.flags & SHF.ALLOC) === 0) return "none";
  if (tables.has(section.name)) return "table";
  // Empty variables (lock classes without lockdep) still have addresses.
  if (section.size === 0 && symbols.length === 0) return "none";
  if ((section.flags & SHF.MERGE) !== 0) return "merged";
  return (section.flags & SHF.EXECINSTR) !== 0 && symbols.some(isNamed) ? "code" : "data";
}

/** A symbol that is a function or variable of the source, and not a label of the assembler. */
function isNamed({ name }: ElfSymbol): boolean {
  return !name.startsWith(".L");
}

function itemsOf(part: Part): Item[] {
  const { section } = part;
  const starts = new Map<number, ElfSymbol[]>();
  for (const symbol of part.symbols) {
    if (!isNamed(symbol)) continue;
    const list = starts.get(symbol.value);
    if (list === undefined) starts.set(symbol.value, [symbol]);
    else list.push(symbol);
  }
  const items: Item[] = [];
  if (!starts.has(0) && section.size > 0) items.push({ section: part, symbols: [], start: 0, end: section.size });
  for (const start of [...starts.keys()].sort((a, b) => a - b)) {
    const before = items.at(-1);
    if (before !== undefined) before.end = start;
    items.push({ section: part, symbols: starts.get(start) ?? [], start, end: section.size });
  }
  return items;
}

export function isFunction({ type }: ElfSymbol): boolean {
  return type === STT.FUNC;
}

export function isWeak({ bind }: ElfSymbol): boolean {
  return bind === STB.WEAK;
}

export function hasNoBytes({ type }: Section): boolean {
  return type === SHT.NOBITS;
}

/** Bytes of a run that relocations change, from the run's start. */
export function fieldsOf({ relocations: { fieldSize } }: Arch, relocations: readonly Relocation[], start: number): Set<number> {
  const changed = new Set<number>();
  for (const { offset, type } of relocations) for (let i = 0; i < (fieldSize(type) ?? 0); i++) changed.add(offset - start + i);
  return changed;
}

/** The last item that starts at or before the offset. */
export function itemAt(part: Part, offset: number): Item | undefined {
  let low = 0;
  let high = part.items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((part.items[middle] as Item).start <= offset) low = middle + 1;
    else high = middle;
  }
  return part.items[low - 1];
}
