/**
 * ElfObject → bytes, in two phases: lay out (numbers, string tables, offsets), then emit. An object that was read and not changed comes back
 * byte for byte; a new one is laid out in the order of its sections. Output depends on the object alone.
 */
import { fail } from "./errors.ts";
import { ELF_MAGIC, ELFCLASS, ELFDATA, EV_CURRENT, recordsOf, SHN, SHT } from "./format.ts";
import { type ElfObject, type ElfSymbol, isSection, type Place, type Section } from "./model.ts";
import { StringBuilder } from "./strings.ts";
import { viewOf } from "./view.ts";

export function writeElf(elf: ElfObject): Uint8Array {
  if (elf.segments.length > 0) throw fail("ELF_UNSUPPORTED", "an image with program headers cannot be written", { file: elf.file });
  const numbers = number(elf);
  const contents = serialise(elf, numbers);
  const layout = layOut(elf, contents);
  return emit(elf, numbers, contents, layout);
}

interface Numbers {
  sections: Map<Section, number>;
  symbols: Map<ElfSymbol, number>;
  /** Symbols in the order of the table: locals, then the rest, each in the object's order. */
  order: ElfSymbol[];
  /** One more than the last local's index. */
  firstGlobal: number;
}

function number(elf: ElfObject): Numbers {
  const sections = new Map<Section, number>();
  elf.sections.forEach((section, i) => {
    sections.set(section, i + 1);
  });
  const locals = elf.symbols.filter((s) => s.bind === 0);
  const order = [...locals, ...elf.symbols.filter((s) => s.bind !== 0)];
  const symbols = new Map<ElfSymbol, number>();
  order.forEach((symbol, i) => {
    symbols.set(symbol, i + 1);
  });
  return { sections, symbols, order, firstGlobal: locals.length + 1 };
}

interface Contents {
  bytes: Map<Section, Uint8Array>;
  /** Offset of each section's name in the section name table. */
  names: Map<Section, number>;
}

function serialise(elf: ElfObject, numbers: Numbers): Contents {
  const bytes = new Map<Section, Uint8Array>();
  const names = new Map<Section, number>();
  const strtab = elf.symtab?.link;
  const shared = strtab !== undefined && strtab === elf.shstrtab;
  const symbolStrings = new StringBuilder(strtab?.data);
  const sectionStrings = shared ? symbolStrings : new StringBuilder(elf.shstrtab?.data);
  for (const section of elf.sections) names.set(section, sectionStrings.add(section.name, section.origin?.nameOffset));
  for (const section of elf.sections) {
    if (section.type === SHT.SYMTAB) bytes.set(section, symbolTable(elf, numbers, symbolStrings));
    else if (section.type === SHT.SYMTAB_SHNDX && section.link === elf.symtab) bytes.set(section, indexTable(elf, numbers));
    else if (section.type === SHT.RELA && section.target !== undefined) bytes.set(section, relocationTable(elf, section, numbers));
    else if (section.type === SHT.GROUP) bytes.set(section, groupTable(elf, section, numbers));
    else bytes.set(section, section.data);
  }
  if (strtab !== undefined) bytes.set(strtab, symbolStrings.bytes());
  if (elf.shstrtab !== undefined) bytes.set(elf.shstrtab, sectionStrings.bytes());
  return { bytes, names };
}

function sectionNumber(elf: ElfObject, section: Section, numbers: Numbers): number {
  const index = numbers.sections.get(section);
  if (index === undefined)
    throw fail("ELF_DANGLING", `section ${section.name} is referred to but not in the object`, { file: elf.file, section: section.name });
  return index;
}

function placeNumber(elf: ElfObject, place: Place, numbers: Numbers): number {
  if (isSection(place)) return sectionNumber(elf, place, numbers);
  return { undef: SHN.UNDEF, abs: SHN.ABS, common: SHN.COMMON, livepatch: SHN.LIVEPATCH }[place];
}

function symbolTable(elf: ElfObject, numbers: Numbers, strings: StringBuilder): Uint8Array {
  const { Sym } = recordsOf(elf.format);
  const narrow = elf.format.bits === 32;
  const out = new Uint8Array((numbers.order.length + 1) * Sym.size);
  const c = Sym.cursor(viewOf(out, elf.format.order));
  for (const symbol of numbers.order) {
    c.at += Sym.size;
    const index = placeNumber(elf, symbol.place, numbers);
    c.st_name = strings.add(symbol.name, symbol.nameOffset);
    c.st_info = (symbol.bind << 4) | symbol.type;
    c.st_other = symbol.other;
    c.st_shndx = isSection(symbol.place) && index >= SHN.LORESERVE ? SHN.XINDEX : index;
    if (narrow) checkWord(elf, symbol.value, 0, symbol.name);
    if (narrow) checkWord(elf, symbol.size, 0, symbol.name);
    c.st_value = symbol.value;
    c.st_size = symbol.size;
    if (c.st_shndx === SHN.XINDEX && !elf.sections.some((s) => s.type === SHT.SYMTAB_SHNDX))
      throw fail("ELF_UNSUPPORTED", "more than 65,279 sections need an extended index table", { file: elf.file });
  }
  return out;
}

function indexTable(elf: ElfObject, numbers: Numbers): Uint8Array {
  const out = new Uint8Array((numbers.order.length + 1) * 4);
  const view = viewOf(out, elf.format.order);
  numbers.order.forEach((symbol, i) => {
    const index = isSection(symbol.place) ? placeNumber(elf, symbol.place, numbers) : 0;
    if (index >= SHN.LORESERVE) view.setU32((i + 1) * 4, index);
  });
  return out;
}

function relocationTable(elf: ElfObject, section: Section, numbers: Numbers): Uint8Array {
  const { relocations } = section;
  const { Rela } = recordsOf(elf.format);
  const narrow = elf.format.bits === 32;
  const out = new Uint8Array(relocations.length * Rela.size);
  const c = Rela.cursor(viewOf(out, elf.format.order));
  for (const relocation of relocations) {
    const index = relocation.symbol === undefined ? 0 : numbers.symbols.get(relocation.symbol);
    if (index === undefined)
      throw fail("ELF_DANGLING", `a relocation refers to symbol ${relocation.symbol?.name}, which is not in the object`, {
        file: elf.file,
        section: section.name,
        symbol: relocation.symbol?.name,
        offset: relocation.offset,
      });
    if (narrow) checkWord(elf, relocation.offset, 0, relocation.symbol?.name);
    if (narrow) checkWord(elf, relocation.addend, LOWEST_ADDEND, relocation.symbol?.name);
    c.r_offset = relocation.offset;
    c.r_type = relocation.type;
    c.r_sym = index;
    c.r_addend = relocation.addend;
    c.at += Rela.size;
  }
  return out;
}

const LOWEST_ADDEND = -(2 ** 31);

/** What a file of 64 bits has can be too large for one of 32. @param lowest that the field of 32 bits holds */
function checkWord(elf: ElfObject, value: number, lowest: number, symbol: string | undefined): void {
  if (value < lowest || value >= lowest + 2 ** 32)
    throw fail("ELF_UNSUPPORTED", `${value} does not fit a field of a 32-bit file`, { file: elf.file, symbol });
}

function groupTable(elf: ElfObject, section: Section, numbers: Numbers): Uint8Array {
  if (section.group === undefined) return section.data;
  const out = new Uint8Array(4 + section.group.members.length * 4);
  const view = viewOf(out, elf.format.order);
  view.setU32(0, section.group.flags);
  section.group.members.forEach((member, i) => {
    view.setU32(4 + i * 4, sectionNumber(elf, member, numbers));
  });
  return out;
}

interface Layout {
  offsets: Map<Section, number>;
  shoff: number;
  size: number;
}

function layOut(elf: ElfObject, contents: Contents): Layout {
  const offsets = new Map<Section, number>();
  // Linkers do not all place contents in the order of the headers: read sections keep their order in the file, new ones follow.
  const order = [...elf.sections].sort(
    (a, b) => (a.origin?.offset ?? Number.MAX_SAFE_INTEGER) - (b.origin?.offset ?? Number.MAX_SAFE_INTEGER),
  );
  const { Ehdr, Shdr } = recordsOf(elf.format);
  const wordSize = elf.format.bits / 8;
  let end = Ehdr.size;
  const place = (size: number, align: number, origin: number | undefined): number => {
    const at = origin !== undefined && origin >= end ? origin : Math.ceil(end / align) * align;
    if (size > 0) end = at + size;
    return at;
  };
  // The header table may stand between sections (ld puts it last, other tools do not).
  const shdrSize = (elf.sections.length + 1) * Shdr.size;
  let shoff: number | undefined;
  for (const section of order) {
    if (shoff === undefined && elf.shoff !== undefined && section.origin !== undefined && section.origin.offset > elf.shoff)
      shoff = place(shdrSize, wordSize, elf.shoff);
    const nobits = section.type === SHT.NOBITS;
    const size = nobits ? 0 : (contents.bytes.get(section)?.length ?? 0);
    // Empty and NOBITS sections take no room: they keep the offset that they had.
    const kept = section.origin !== undefined && size === 0 && section.origin.size === section.size ? section.origin.offset : undefined;
    offsets.set(section, kept ?? place(size, alignmentInFile(section), section.origin?.offset));
  }
  shoff ??= place(shdrSize, wordSize, elf.shoff);
  return { offsets, shoff, size: end };
}

/** More than a page is of no use to those who read or map a file. */
const MOST_ALIGNED = 4096;

/**
 * Where contents stand in a file binds nobody: sh_addralign is about memory. Assemblers and linkers as of binutils 2.44 and LLVM do not align
 * them either, and what was not aligned as it was read need not be where it is moved to.
 */
function alignmentInFile({ align, origin }: Section): number {
  let inFile = Math.max(Math.min(align, MOST_ALIGNED), 1);
  if (origin !== undefined && origin.size > 0) while (origin.offset % inFile !== 0) inFile /= 2;
  return inFile;
}

function emit(elf: ElfObject, numbers: Numbers, contents: Contents, layout: Layout): Uint8Array {
  const out = new Uint8Array(layout.size);
  const { Ehdr, Shdr } = recordsOf(elf.format);
  const view = viewOf(out, elf.format.order);
  const h = Ehdr.cursor(view);
  const count = elf.sections.length + 1;
  const shstrndx = elf.shstrtab === undefined ? 0 : sectionNumber(elf, elf.shstrtab, numbers);
  out.set(ELF_MAGIC);
  h.ident_class = ELFCLASS[elf.format.bits];
  h.ident_data = ELFDATA[elf.format.order];
  h.ident_version = EV_CURRENT;
  h.ident_osabi = elf.osabi;
  h.ident_abiversion = elf.abiVersion;
  h.e_type = elf.type;
  h.e_machine = elf.machine;
  h.e_version = EV_CURRENT;
  h.e_entry = elf.entry;
  h.e_shoff = layout.shoff;
  h.e_flags = elf.flags;
  h.e_ehsize = Ehdr.size;
  h.e_shentsize = Shdr.size;
  h.e_shnum = count >= SHN.LORESERVE ? 0 : count;
  h.e_shstrndx = shstrndx >= SHN.LORESERVE ? SHN.XINDEX : shstrndx;
  const s = Shdr.cursor(view, layout.shoff);
  if (count >= SHN.LORESERVE) s.sh_size = count;
  if (shstrndx >= SHN.LORESERVE) s.sh_link = shstrndx;
  for (const section of elf.sections) {
    s.at += Shdr.size;
    const bytes = contents.bytes.get(section) ?? section.data;
    const offset = layout.offsets.get(section) ?? 0;
    const nobits = section.type === SHT.NOBITS;
    s.sh_name = contents.names.get(section) ?? 0;
    s.sh_type = section.type;
    s.sh_flags = section.flags;
    s.sh_addr = section.addr;
    s.sh_offset = offset;
    s.sh_size = nobits ? section.nobitsSize : bytes.length;
    s.sh_link = section.link === undefined ? 0 : sectionNumber(elf, section.link, numbers);
    s.sh_info = infoOf(elf, section, numbers);
    s.sh_addralign = section.align;
    s.sh_entsize = section.entsize;
    if (!nobits) out.set(bytes, offset);
  }
  return out;
}

function infoOf(elf: ElfObject, section: Section, numbers: Numbers): number {
  if (section.type === SHT.SYMTAB) return numbers.firstGlobal;
  if (section.type === SHT.RELA && section.target !== undefined) return sectionNumber(elf, section.target, numbers);
  if (section.type === SHT.GROUP && section.group !== undefined) return numbers.symbols.get(section.group.signature) ?? 0;
  return section.info;
}
