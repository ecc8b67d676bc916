/**
 * An ELF file as data. Sections, symbols and relocations refer to each other by object identity, never by number: removing
 * or adding one never renumbers another. Numbers exist in the file only; `writeElf` assigns them.
 * 64-bit addresses and values are signed Numbers (see view.ts): the top of the address space is small negative numbers.
 */
import { ET, SHF, SHT, STB, STT, tableSizes } from "./format.ts";
import type { ElfFormat } from "./view.ts";

/** Where a section stood in the file that was read; lets an unchanged object be written back byte for byte. */
export interface SectionOrigin {
  index: number;
  /** Byte offset of the contents in the file. */
  offset: number;
  nameOffset: number;
  size: number;
}

export interface Group {
  /** GRP_COMDAT or 0. */
  flags: number;
  signature: ElfSymbol;
  members: Section[];
}

/** What a new section needs; the rest has defaults. */
export type SectionInit = Pick<Section, "name" | "type"> &
  Partial<Pick<Section, "flags" | "addr" | "align" | "entsize" | "data" | "nobitsSize" | "target" | "relocations" | "link" | "info">>;

export class Section {
  name: string;
  /** SHT_* */
  type: number;
  /** SHF_* bits. */
  flags: number;
  addr: number;
  /** Alignment in bytes, a power of two or 0. */
  align: number;
  /** Size of one entry in bytes, 0 if the section is no table. */
  entsize: number;
  /** Contents; empty for NOBITS. Symbol, string, relocation and group tables are written from the model, not from here. */
  data: Uint8Array;
  /** Size in bytes of a NOBITS section. */
  nobitsSize: number;
  /** RELA: the section that the relocations apply to (sh_info). */
  target: Section | undefined;
  /** sh_link where the model does not decide it itself. */
  link: Section | undefined;
  /** sh_info where it is a plain number. */
  info: number;
  group: Group | undefined = undefined;
  origin: SectionOrigin | undefined = undefined;
  #relocations: Relocation[] | (() => Relocation[]);

  constructor(init: SectionInit) {
    this.name = init.name;
    this.type = init.type;
    this.flags = init.flags ?? 0;
    this.addr = init.addr ?? 0;
    this.align = init.align ?? 1;
    this.entsize = init.entsize ?? 0;
    this.data = init.data ?? new Uint8Array(0);
    this.nobitsSize = init.nobitsSize ?? 0;
    this.target = init.target;
    this.link = init.link;
    this.info = init.info ?? 0;
    this.#relocations = init.relocations ?? [];
  }

  /** Size in bytes in memory. */
  get size(): number {
    return this.type === SHT.NOBITS ? this.nobitsSize : this.data.length;
  }

  /** RELA: in file order. Made when first asked for: most tables of an object are never looked at. */
  get relocations(): Relocation[] {
    if (typeof this.#relocations === "function") this.#relocations = this.#relocations();
    return this.#relocations;
  }

  set relocations(value: Relocation[] | (() => Relocation[])) {
    this.#relocations = value;
  }
}

/** Where a symbol is defined: in a section, or one of the reserved indices. */
export type Place = Section | "undef" | "abs" | "common" | "livepatch";

export interface ElfSymbol {
  name: string;
  /** Offset into the section in a relocatable object; an address in an image. */
  value: number;
  /** Bytes. */
  size: number;
  /** STB_* */
  bind: number;
  /** STT_* */
  type: number;
  /** st_other: STV_* in the low 2 bits. */
  other: number;
  place: Place;
  /** Offset of the name in the string table that was read. */
  nameOffset: number | undefined;
}

export interface Relocation {
  /** Byte offset into the target section. */
  offset: number;
  /** R_* of the processor. */
  type: number;
  /** Undefined for symbol index 0. */
  symbol: ElfSymbol | undefined;
  addend: number;
}

/** What a type of relocation is; which numbers there are, the processor says. */
export interface RelocationKind {
  name: string;
  /** Bytes of the field. */
  size: number;
  /** The field holds S + A - P. */
  pcRelative: boolean;
}

export interface Segment {
  type: number;
  flags: number;
  offset: number;
  vaddr: number;
  paddr: number;
  filesz: number;
  memsz: number;
  align: number;
}

export interface ElfObject {
  /** The name that errors carry. */
  file: string;
  format: ElfFormat;
  /** ET_* */
  type: number;
  machine: number;
  /** e_flags */
  flags: number;
  entry: number;
  osabi: number;
  abiVersion: number;
  /** In file order, without the null section, with the symbol and string tables. */
  sections: Section[];
  /** In file order, without the null symbol. Written locals first. */
  symbols: ElfSymbol[];
  symtab: Section | undefined;
  shstrtab: Section | undefined;
  /** Program headers of an image; empty for relocatable objects. An object that has some can be read, not written. */
  segments: Segment[];
  /** Byte offset of the section header table in the file that was read. */
  shoff: number | undefined;
}

export function newSymbol(init: Pick<ElfSymbol, "name" | "place"> & Partial<ElfSymbol>): ElfSymbol {
  return {
    name: init.name,
    value: init.value ?? 0,
    size: init.size ?? 0,
    bind: init.bind ?? STB.GLOBAL,
    type: init.type ?? STT.NOTYPE,
    other: init.other ?? 0,
    place: init.place,
    nameOffset: undefined,
  };
}

/** An empty relocatable object with its symbol and string tables. @param like what it is for: an object, or a processor */
export function newObject(file: string, { format, machine }: Pick<ElfObject, "format" | "machine">): ElfObject {
  const { symbol: entsize, align } = tableSizes(format);
  const strtab = new Section({ name: ".strtab", type: SHT.STRTAB });
  const symtab = new Section({ name: ".symtab", type: SHT.SYMTAB, align, entsize, link: strtab });
  const shstrtab = new Section({ name: ".shstrtab", type: SHT.STRTAB });
  return {
    file,
    format,
    type: ET.REL,
    machine,
    flags: 0,
    entry: 0,
    osabi: 0,
    abiVersion: 0,
    sections: [symtab, strtab, shstrtab],
    symbols: [],
    symtab,
    shstrtab,
    segments: [],
    shoff: undefined,
  };
}

/** Relocations of `target`, as a section to be put into the object. */
export function newRelocations(
  { format, symtab: link }: ElfObject,
  target: Section,
  relocations: Relocation[],
  { name = `.rela${target.name}`, flags = 0 }: { name?: string; flags?: number } = {},
): Section {
  const { relocation: entsize, align } = tableSizes(format);
  return new Section({ name, type: SHT.RELA, flags: SHF.INFO_LINK | flags, align, entsize, target, link, relocations });
}

export function isSection(place: Place): place is Section {
  return typeof place !== "string";
}

/** Relocation sections by the section that they apply to. */
export function relocationSections(elf: ElfObject): Map<Section, Section[]> {
  const byTarget = new Map<Section, Section[]>();
  for (const section of elf.sections) {
    if (section.type !== SHT.RELA || section.target === undefined) continue;
    const list = byTarget.get(section.target);
    if (list === undefined) byTarget.set(section.target, [section]);
    else list.push(section);
  }
  return byTarget;
}
