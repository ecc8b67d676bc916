/** The records and numbers of ELF. Source: System V ABI, chapters 4 and 5. */
import { defineRecord } from "./record.ts";
import type { ByteOrder, ElfFormat } from "./view.ts";

/** The first 16 bytes, which are alike in every class and byte order. */
const ident = {
  ident_mag0: "u8",
  ident_mag1: "u8",
  ident_mag2: "u8",
  ident_mag3: "u8",
  ident_class: "u8",
  ident_data: "u8",
  ident_version: "u8",
  ident_osabi: "u8",
  ident_abiversion: "u8",
  ident_pad0: "u8",
  ident_pad1: "u16",
  ident_pad2: "u32",
} as const;

export const Ident = defineRecord(ident);

/** @param word type of addresses, offsets and sizes; @param sword of what may be negative */
function recordsWith(word: "u32" | "i64", sword: "i32" | "i64", order: ByteOrder) {
  const wide = word === "i64";
  const info = { st_info: "u8", st_other: "u8", st_shndx: "u16" } as const;
  const value = { st_value: word, st_size: word } as const;
  /** r_info is one number: in a file with the high half first, the symbol stands before the type. */
  const type = { r_type: wide ? "u32" : "u8" } as const;
  const symbol = { r_sym: wide ? "u32" : "u24" } as const;
  const flags = { p_flags: "u32" } as const;
  const range = { p_offset: word, p_vaddr: word, p_paddr: word, p_filesz: word, p_memsz: word } as const;
  return {
    Ehdr: defineRecord({
      ...ident,
      e_type: "u16",
      e_machine: "u16",
      e_version: "u32",
      e_entry: word,
      e_phoff: word,
      e_shoff: word,
      e_flags: "u32",
      e_ehsize: "u16",
      e_phentsize: "u16",
      e_phnum: "u16",
      e_shentsize: "u16",
      e_shnum: "u16",
      e_shstrndx: "u16",
    }),
    Phdr: defineRecord({ p_type: "u32", ...(wide ? { ...flags, ...range } : { ...range, ...flags }), p_align: word }),
    Shdr: defineRecord({
      sh_name: "u32",
      sh_type: "u32",
      sh_flags: word,
      sh_addr: word,
      sh_offset: word,
      sh_size: word,
      sh_link: "u32",
      sh_info: "u32",
      sh_addralign: word,
      sh_entsize: word,
    }),
    Sym: defineRecord({ st_name: "u32", ...(wide ? { ...info, ...value } : { ...value, ...info }) }),
    Rela: defineRecord({ r_offset: word, ...(order === "little" ? { ...type, ...symbol } : { ...symbol, ...type }), r_addend: sword }),
    Chdr: wide
      ? defineRecord({ ch_type: "u32", ch_reserved: "u32", ch_size: word, ch_addralign: word })
      : defineRecord({ ch_type: "u32", ch_size: word, ch_addralign: word }),
  };
}

export type Records = ReturnType<typeof recordsWith>;

const records: Readonly<Record<ByteOrder, Readonly<Record<32 | 64, Records>>>> = {
  little: { 32: recordsWith("u32", "i32", "little"), 64: recordsWith("i64", "i64", "little") },
  big: { 32: recordsWith("u32", "i32", "big"), 64: recordsWith("i64", "i64", "big") },
};

export function recordsOf({ bits, order }: ElfFormat): Records {
  return records[order][bits];
}

/** Bytes of an entry of a symbol table and of a table of relocations, and how such tables are aligned. */
export function tableSizes(format: ElfFormat): { symbol: number; relocation: number; align: number } {
  const { Sym, Rela } = recordsOf(format);
  return { symbol: Sym.size, relocation: Rela.size, align: format.bits / 8 };
}

export const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46] as const;
/** EI_CLASS and EI_DATA of each format. */
export const ELFCLASS = { 32: 1, 64: 2 } as const;
export const ELFDATA = { little: 1, big: 2 } as const;
export const EV_CURRENT = 1;

export const ET = { REL: 1, EXEC: 2, DYN: 3 } as const;

export const SHT = {
  NULL: 0,
  PROGBITS: 1,
  SYMTAB: 2,
  STRTAB: 3,
  RELA: 4,
  NOTE: 7,
  NOBITS: 8,
  REL: 9,
  INIT_ARRAY: 14,
  GROUP: 17,
  SYMTAB_SHNDX: 18,
} as const;

export const SHF = {
  WRITE: 0x1,
  ALLOC: 0x2,
  EXECINSTR: 0x4,
  MERGE: 0x10,
  STRINGS: 0x20,
  INFO_LINK: 0x40,
  LINK_ORDER: 0x80,
  GROUP: 0x200,
  TLS: 0x400,
  /** The contents begin with a Chdr; offsets into the section are offsets into what they unpack to. */
  COMPRESSED: 0x800,
  /** The kernel's: relocations of a livepatch module that the livepatch core applies (include/uapi/linux/elf.h). */
  RELA_LIVEPATCH: 0x00100000,
} as const;

export const SHN = {
  UNDEF: 0,
  LORESERVE: 0xff00,
  /** The kernel's: a symbol that the livepatch core resolves. */
  LIVEPATCH: 0xff20,
  ABS: 0xfff1,
  COMMON: 0xfff2,
  XINDEX: 0xffff,
} as const;

export const STB = { LOCAL: 0, GLOBAL: 1, WEAK: 2 } as const;
export const STT = { NOTYPE: 0, OBJECT: 1, FUNC: 2, SECTION: 3, FILE: 4, COMMON: 5, TLS: 6, GNU_IFUNC: 10 } as const;

/** The relocation that means nothing, on every processor. */
export const R_NONE = 0;
