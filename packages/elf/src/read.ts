/**
 * Bytes → ElfObject. The input is untrusted: every count, offset, size, link and string is checked against the file before it is used, and
 * nothing is allocated that the file's own size does not bound.
 */
import { fail } from "./errors.ts";
import { ELF_MAGIC, ELFCLASS, ELFDATA, ET, EV_CURRENT, Ident, type Records, recordsOf, SHF, SHN, SHT } from "./format.ts";
import { type ElfObject, type ElfSymbol, type Place, type Relocation, Section, type Segment } from "./model.ts";
import { StringReader } from "./strings.ts";
import { type ByteView, type ElfFormat, viewOf } from "./view.ts";

type Header = ReturnType<Records["Ehdr"]["cursor"]>;
type SectionHeader = ReturnType<Records["Shdr"]["cursor"]>;

/** @param file the name that errors carry */
export function readElf(bytes: Uint8Array, file: string): ElfObject {
  const format = readFormat(bytes, file);
  const records = recordsOf(format);
  const view = viewOf(bytes, format.order);
  if (bytes.length < records.Ehdr.size) throw noHeader(bytes, records.Ehdr.size, file);
  const header = records.Ehdr.cursor(view);
  checkHeader(header, records, file);
  const table = readSectionTable(bytes, view, header, records, file);
  const segments = readSegments(view, header, records, file);
  const sections = table.headers.map((h) => sectionOf(bytes, h, table.names));
  const at = (index: number): Section | undefined => (index === 0 ? undefined : sections[index - 1]);
  const elf: ElfObject = {
    file,
    format,
    type: header.e_type,
    machine: header.e_machine,
    flags: header.e_flags,
    entry: header.e_entry,
    osabi: header.ident_osabi,
    abiVersion: header.ident_abiversion,
    sections,
    symbols: [],
    symtab: undefined,
    shstrtab: at(table.shstrndx),
    segments,
    shoff: header.e_shoff,
  };
  linkSections(elf, table.headers, at);
  elf.symbols = readSymbols(elf, table.headers, at);
  attachRelocations(elf, table.headers);
  readGroups(elf, table.headers, at);
  return elf;
}

interface RawSection {
  index: number;
  name: number;
  type: number;
  flags: number;
  addr: number;
  offset: number;
  size: number;
  link: number;
  info: number;
  align: number;
  entsize: number;
  /** Byte offset of the header itself, for errors. */
  at: number;
}

/** Class and byte order, which say how all the rest is read. */
function readFormat(bytes: Uint8Array, file: string): ElfFormat {
  if (bytes.length < Ident.size || ELF_MAGIC.some((byte, i) => bytes[i] !== byte)) throw noHeader(bytes, Ident.size, file);
  const [of, data] = [bytes[Ident.offsets.ident_class], bytes[Ident.offsets.ident_data]];
  const bits = of === ELFCLASS[64] ? 64 : of === ELFCLASS[32] ? 32 : undefined;
  const order = data === ELFDATA.little ? "little" : data === ELFDATA.big ? "big" : undefined;
  if (bits === undefined)
    throw fail("ELF_UNSUPPORTED", `ELF class ${of}, 1 (32 bit) and 2 (64 bit) are known`, { file, offset: Ident.offsets.ident_class });
  if (order === undefined)
    throw fail("ELF_UNSUPPORTED", `byte order ${data}, 1 (little-endian) and 2 (big-endian) are known`, {
      file,
      offset: Ident.offsets.ident_data,
    });
  return { bits, order };
}

function noHeader(bytes: Uint8Array, size: number, file: string) {
  return fail("ELF_NOT_ELF", `no ELF header in the first ${Math.min(bytes.length, size)} bytes`, { file, offset: 0 });
}

function checkHeader(header: Header, { Ehdr }: Records, file: string): void {
  if (header.ident_version !== EV_CURRENT || header.e_version !== EV_CURRENT)
    throw fail("ELF_BAD_HEADER", `ELF version ${header.ident_version}/${header.e_version}, 1 is needed`, { file, offset: 6 });
  if (header.ident_pad0 !== 0 || header.ident_pad1 !== 0 || header.ident_pad2 !== 0)
    throw fail("ELF_BAD_HEADER", "the padding of e_ident is not zero", { file, offset: 9 });
  if (header.e_type !== ET.REL && header.e_type !== ET.EXEC && header.e_type !== ET.DYN)
    throw fail("ELF_UNSUPPORTED", `file type ${header.e_type} is neither an object nor an image`, { file, offset: Ehdr.offsets.e_type });
  if (header.e_ehsize !== Ehdr.size)
    throw fail("ELF_BAD_HEADER", `e_ehsize is ${header.e_ehsize}, not ${Ehdr.size}`, { file, offset: Ehdr.offsets.e_ehsize });
  if (!Number.isSafeInteger(header.e_entry))
    throw fail("ELF_BAD_HEADER", "e_entry is no address that a kernel can have", { file, offset: Ehdr.offsets.e_entry });
}

function readSectionTable(bytes: Uint8Array, view: ByteView, header: Header, records: Records, file: string) {
  const { Ehdr, Shdr } = records;
  const size = bytes.length;
  const shoff = header.e_shoff;
  if (header.e_shentsize !== Shdr.size)
    throw fail("ELF_BAD_HEADER", `e_shentsize is ${header.e_shentsize}, not ${Shdr.size}`, { file, offset: Ehdr.offsets.e_shentsize });
  if (!inFile(shoff, Shdr.size, size) || shoff < Ehdr.size)
    throw fail("ELF_TRUNCATED", `the section header table at ${shoff} lies outside of the file of ${size} bytes`, {
      file,
      offset: Ehdr.offsets.e_shoff,
    });
  const first = Shdr.cursor(view, shoff);
  if (first.sh_type !== SHT.NULL) throw fail("ELF_BAD_SECTION", `section 0 has type ${first.sh_type}, not NULL`, { file, offset: shoff });
  const extended = header.e_shnum === 0;
  const count = extended ? first.sh_size : header.e_shnum;
  if (count < 1 || !inFile(shoff, count * Shdr.size, size))
    throw fail("ELF_TRUNCATED", `${count} section headers at ${shoff} reach past the file's end (${size})`, { file, offset: shoff });
  if (!extended && first.sh_size !== 0)
    throw fail("ELF_BAD_SECTION", "section 0 has a size though e_shnum gives the count", { file, offset: shoff });
  if (extended && count < SHN.LORESERVE)
    throw fail("ELF_BAD_HEADER", `e_shnum is 0 for only ${count} sections`, { file, offset: Ehdr.offsets.e_shnum });
  const shstrndx = header.e_shstrndx === SHN.XINDEX ? first.sh_link : header.e_shstrndx;
  if (shstrndx >= count)
    throw fail("ELF_BAD_HEADER", `the section name table is section ${shstrndx} of ${count}`, {
      file,
      offset: Ehdr.offsets.e_shstrndx,
    });
  const headers: RawSection[] = [];
  const cursor = Shdr.cursor(view);
  for (let index = 1; index < count; index++) {
    cursor.at = shoff + index * Shdr.size;
    headers.push(rawSection(cursor, records, index, size, count, file));
  }
  checkOverlaps(headers, header, records, count, file);
  const strings = shstrndx === 0 ? undefined : headers[shstrndx - 1];
  if (strings === undefined && headers.length > 0)
    throw fail("ELF_BAD_HEADER", "there is no section name table", { file, offset: Ehdr.offsets.e_shstrndx });
  const names =
    strings === undefined
      ? undefined
      : new StringReader(bytesAt(bytes, stringTable(strings, file)), file, strings.offset, sectionCountBudget(headers.length));
  return { headers, names, shstrndx };
}

/** Section names are short; this bounds what hostile ones can make the reader allocate. */
function sectionCountBudget(count: number): number {
  return 4096 + count * 256;
}

function stringTable(raw: RawSection, file: string): RawSection {
  if (raw.type !== SHT.STRTAB)
    throw fail("ELF_BAD_SECTION", `section ${raw.index} is used as a string table but has type ${raw.type}`, { file, offset: raw.at });
  return raw;
}

function rawSection(c: SectionHeader, { Sym, Rela }: Records, index: number, fileSize: number, count: number, file: string): RawSection {
  const raw: RawSection = {
    index,
    name: c.sh_name,
    type: c.sh_type,
    flags: c.sh_flags,
    addr: c.sh_addr,
    offset: c.sh_offset,
    size: c.sh_size,
    link: c.sh_link,
    info: c.sh_info,
    align: c.sh_addralign,
    entsize: c.sh_entsize,
    at: c.at,
  };
  const where = { file, offset: raw.at };
  for (const field of ["flags", "addr", "offset", "size", "align", "entsize"] as const)
    if (!Number.isSafeInteger(raw[field]))
      throw fail("ELF_BAD_SECTION", `section ${index}: sh_${field} ${raw[field]} is out of every range`, where);
  if (raw.size < 0 || raw.offset < 0 || raw.entsize < 0 || raw.flags < 0)
    throw fail("ELF_BAD_SECTION", `section ${index} has a negative size, offset, entry size or flags`, where);
  if (raw.type !== SHT.NOBITS && !inFile(raw.offset, raw.size, fileSize))
    throw fail("ELF_TRUNCATED", `section ${index}: ${raw.size} bytes at ${raw.offset} reach past the file's end (${fileSize})`, where);
  if (raw.align < 0 || (raw.align !== 0 && !isPowerOfTwo(raw.align)) || raw.align > 0x40000000)
    throw fail("ELF_BAD_SECTION", `section ${index}: alignment ${raw.align} is not a power of two`, where);
  if (raw.link >= count) throw fail("ELF_BAD_SECTION", `section ${index}: sh_link ${raw.link} of ${count} sections`, where);
  if (raw.type === SHT.REL) throw fail("ELF_UNSUPPORTED", `section ${index} holds REL relocations`, where);
  const needed = raw.type === SHT.SYMTAB ? Sym.size : raw.type === SHT.RELA ? Rela.size : raw.type === SHT.GROUP ? 4 : undefined;
  if (needed !== undefined && (raw.entsize !== needed || raw.size % needed !== 0))
    throw fail("ELF_BAD_SECTION", `section ${index}: ${raw.size} bytes of entries of ${raw.entsize}, ${needed} is needed`, where);
  return raw;
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}

/** No two parts of the file may share bytes: what one edit changes can then never change another. */
function checkOverlaps(headers: RawSection[], header: Header, { Ehdr, Shdr }: Records, count: number, file: string): void {
  const parts = headers
    .filter((h) => h.type !== SHT.NOBITS && h.size > 0)
    .map((h) => ({ what: `section ${h.index}`, start: h.offset, end: h.offset + h.size }));
  parts.push({ what: "the ELF header", start: 0, end: Ehdr.size });
  parts.push({ what: "the section header table", start: header.e_shoff, end: header.e_shoff + count * Shdr.size });
  parts.sort((a, b) => a.start - b.start || a.end - b.end);
  for (let i = 1; i < parts.length; i++) {
    const before = parts[i - 1];
    const part = parts[i];
    if (before !== undefined && part !== undefined && part.start < before.end)
      throw fail("ELF_OVERLAP", `${part.what} starts at ${part.start}, inside of ${before.what} (to ${before.end})`, {
        file,
        offset: part.start,
      });
  }
}

function readSegments(view: ByteView, header: Header, { Ehdr, Phdr }: Records, file: string): Segment[] {
  if (header.e_phnum === 0) return [];
  if (header.e_phentsize !== Phdr.size)
    throw fail("ELF_BAD_HEADER", `e_phentsize is ${header.e_phentsize}, not ${Phdr.size}`, { file, offset: Ehdr.offsets.e_phentsize });
  if (!inFile(header.e_phoff, header.e_phnum * Phdr.size, view.length))
    throw fail("ELF_TRUNCATED", `${header.e_phnum} program headers at ${header.e_phoff} reach past the file's end`, {
      file,
      offset: Ehdr.offsets.e_phoff,
    });
  const c = Phdr.cursor(view);
  return Array.from({ length: header.e_phnum }, (_, i) => {
    c.at = header.e_phoff + i * Phdr.size;
    const segment: Segment = {
      type: c.p_type,
      flags: c.p_flags,
      offset: c.p_offset,
      vaddr: c.p_vaddr,
      paddr: c.p_paddr,
      filesz: c.p_filesz,
      memsz: c.p_memsz,
      align: c.p_align,
    };
    if (!inFile(segment.offset, segment.filesz, view.length))
      throw fail("ELF_TRUNCATED", `segment ${i}: ${segment.filesz} bytes at ${segment.offset} reach past the file's end`, {
        file,
        offset: c.at,
      });
    return segment;
  });
}

function sectionOf(bytes: Uint8Array, raw: RawSection, names: StringReader | undefined): Section {
  const nobits = raw.type === SHT.NOBITS;
  const section = new Section({
    name: names === undefined ? "" : names.at(raw.name, raw.at),
    type: raw.type,
    flags: raw.flags,
    addr: raw.addr,
    align: raw.align,
    entsize: raw.entsize,
    data: nobits ? new Uint8Array(0) : bytes.subarray(raw.offset, raw.offset + raw.size),
    nobitsSize: nobits ? raw.size : 0,
    info: raw.info,
  });
  section.origin = { index: raw.index, offset: raw.offset, nameOffset: raw.name, size: raw.size };
  return section;
}

function linkSections(elf: ElfObject, headers: RawSection[], at: (index: number) => Section | undefined): void {
  const { file } = elf;
  headers.forEach((raw, i) => {
    const section = elf.sections[i];
    if (section === undefined) return;
    section.link = at(raw.link);
    if (raw.type === SHT.SYMTAB) {
      if (elf.symtab !== undefined)
        throw fail("ELF_UNSUPPORTED", `sections ${elf.symtab.origin?.index} and ${raw.index} are both symbol tables`, {
          file,
          offset: raw.at,
        });
      elf.symtab = section;
    }
    if (raw.type === SHT.RELA && elf.type === ET.REL) {
      section.target = at(raw.info);
      if (section.target === undefined || section.target.type === SHT.RELA)
        throw fail("ELF_BAD_SECTION", `relocation section ${raw.index} applies to section ${raw.info}, which cannot be`, {
          file,
          offset: raw.at,
        });
    }
  });
}

function readSymbols(elf: ElfObject, headers: RawSection[], at: (index: number) => Section | undefined): ElfSymbol[] {
  const { file, format, symtab } = elf;
  if (symtab === undefined) return [];
  const { Sym } = recordsOf(format);
  const raw = headers.find((h) => h.index === symtab.origin?.index);
  const strtab = raw === undefined || raw.link === 0 ? undefined : headers[raw.link - 1];
  if (raw === undefined || strtab === undefined || strtab.type !== SHT.STRTAB || symtab.link === undefined)
    throw fail("ELF_BAD_SECTION", "the symbol table has no string table", { file, section: symtab.name, offset: raw?.at });
  const count = raw.size / Sym.size;
  if (count < 1 || raw.info < 1 || raw.info > count)
    throw fail("ELF_BAD_SECTION", `${raw.info} local symbols of ${count}`, { file, section: symtab.name, offset: raw.at });
  const names = new StringReader(symtab.link.data, file, strtab.offset, 2 * strtab.size + 4096);
  const extended = extendedIndices(elf, symtab, count);
  const c = Sym.cursor(viewOf(symtab.data, format.order));
  if (c.st_name !== 0 || c.st_info !== 0 || c.st_shndx !== 0 || c.st_value !== 0 || c.st_size !== 0)
    throw fail("ELF_BAD_SYMBOL", "symbol 0 is not empty", { file, section: symtab.name, offset: raw.offset });
  const symbols: ElfSymbol[] = [];
  for (let i = 1; i < count; i++) {
    c.at = i * Sym.size;
    const where = { file, section: symtab.name, offset: raw.offset + c.at };
    const bind = c.st_info >> 4;
    if ((bind === 0) !== i < raw.info) throw fail("ELF_BAD_SYMBOL", `symbol ${i} has binding ${bind}; locals end at ${raw.info}`, where);
    const place = placeOf(c.st_shndx, extended?.u32(i * 4), at);
    if (place === undefined) throw fail("ELF_BAD_SYMBOL", `symbol ${i} is in section ${c.st_shndx}, which is not there`, where);
    const { st_value: value, st_size: size } = c;
    if (!Number.isSafeInteger(value) || !Number.isSafeInteger(size) || size < 0)
      throw fail("ELF_BAD_SYMBOL", `symbol ${i}: value ${value} or size ${size} is out of every range`, where);
    if (elf.type === ET.REL && typeof place !== "string" && (value < 0 || value + size > addressable(place, format)))
      throw fail(
        "ELF_BAD_SYMBOL",
        `symbol ${i}: ${size} bytes at ${value} lie outside of section ${place.name} of ${addressable(place, format)} bytes`,
        where,
      );
    symbols.push({
      name: names.at(c.st_name, where.offset),
      value,
      size,
      bind,
      type: c.st_info & 15,
      other: c.st_other,
      place,
      nameOffset: c.st_name,
    });
  }
  return symbols;
}

/** The section indices of more than 65,279 sections (SHT_SYMTAB_SHNDX), one u32 for each symbol. */
function extendedIndices(elf: ElfObject, symtab: Section, count: number): ByteView | undefined {
  const table = elf.sections.find((s) => s.type === SHT.SYMTAB_SHNDX && s.link === symtab);
  if (table === undefined) return undefined;
  if (table.data.length !== count * 4)
    throw fail("ELF_BAD_SECTION", `${table.data.length} bytes of section indices for ${count} symbols`, {
      file: elf.file,
      section: table.name,
      offset: table.origin?.offset,
    });
  return viewOf(table.data, elf.format.order);
}

function placeOf(shndx: number, extended: number | undefined, at: (index: number) => Section | undefined): Place | undefined {
  if (shndx === SHN.UNDEF) return "undef";
  if (shndx === SHN.ABS) return "abs";
  if (shndx === SHN.COMMON) return "common";
  if (shndx === SHN.LIVEPATCH) return "livepatch";
  if (shndx === SHN.XINDEX) return extended === undefined || extended === 0 ? undefined : at(extended);
  return shndx >= SHN.LORESERVE ? undefined : at(shndx);
}

function attachRelocations(elf: ElfObject, headers: RawSection[]): void {
  if (elf.type !== ET.REL) return;
  // Those of the file, whatever becomes of the object's list until they are asked for.
  const { symbols, format } = elf;
  headers.forEach((raw, i) => {
    const section = elf.sections[i];
    if (section === undefined || raw.type !== SHT.RELA || section.target === undefined) return;
    if (section.link !== elf.symtab || elf.symtab === undefined)
      throw fail("ELF_BAD_SECTION", `relocations of section ${raw.index} use section ${raw.link} as symbol table`, {
        file: elf.file,
        offset: raw.at,
      });
    checkRelocations(elf, section, section.target, raw.offset);
    section.relocations = () => readRelocations(section.data, symbols, format);
  });
}

/** Checked when the object is read, so that making them later cannot fail. */
function checkRelocations(elf: ElfObject, section: Section, target: Section, fileOffset: number): void {
  const size = addressable(target, elf.format);
  const { Rela } = recordsOf(elf.format);
  const c = Rela.cursor(viewOf(section.data, elf.format.order));
  for (c.at = 0; c.at < section.data.length; c.at += Rela.size) {
    const offset = c.r_offset;
    if (!(offset >= 0 && offset <= size) || c.r_sym > elf.symbols.length || !Number.isSafeInteger(c.r_addend))
      throw fail(
        "ELF_BAD_RELOCATION",
        `relocation at ${offset} of ${target.name} (${size} bytes) to symbol ${c.r_sym} of ${elf.symbols.length}, addend ${c.r_addend}`,
        { file: elf.file, section: section.name, offset: fileOffset + c.at },
      );
  }
}

/** Bytes that offsets into the section may reach. */
function addressable(section: Section, format: ElfFormat): number {
  if ((section.flags & SHF.COMPRESSED) === 0) return section.size;
  const { Chdr } = recordsOf(format);
  return section.data.length < Chdr.size ? section.size : Chdr.cursor(viewOf(section.data, format.order)).ch_size;
}

function readRelocations(data: Uint8Array, symbols: ElfSymbol[], format: ElfFormat): Relocation[] {
  const { Rela } = recordsOf(format);
  const c = Rela.cursor(viewOf(data, format.order));
  const relocations: Relocation[] = new Array(data.length / Rela.size);
  for (let i = 0; i < relocations.length; i++) {
    c.at = i * Rela.size;
    const sym = c.r_sym;
    relocations[i] = { offset: c.r_offset, type: c.r_type, symbol: sym === 0 ? undefined : symbols[sym - 1], addend: c.r_addend };
  }
  return relocations;
}

function readGroups(elf: ElfObject, headers: RawSection[], at: (index: number) => Section | undefined): void {
  headers.forEach((raw, i) => {
    const section = elf.sections[i];
    if (section === undefined || raw.type !== SHT.GROUP) return;
    const where = { file: elf.file, section: section.name, offset: raw.offset };
    const signature = elf.symbols[raw.info - 1];
    if (signature === undefined || section.link !== elf.symtab || raw.size < 4)
      throw fail("ELF_BAD_SECTION", `group ${raw.index} has no signature symbol`, where);
    const view = viewOf(section.data, elf.format.order);
    const members: Section[] = [];
    for (let offset = 4; offset < raw.size; offset += 4) {
      const member = at(view.u32(offset));
      if (member === undefined) throw fail("ELF_BAD_SECTION", `group ${raw.index} names a section that is not there`, where);
      members.push(member);
    }
    section.group = { flags: view.u32(0), signature, members };
  });
}

function bytesAt(bytes: Uint8Array, raw: RawSection): Uint8Array {
  return bytes.subarray(raw.offset, raw.offset + raw.size);
}

function inFile(offset: number, size: number, fileSize: number): boolean {
  return offset >= 0 && size >= 0 && offset <= fileSize && size <= fileSize - offset;
}
