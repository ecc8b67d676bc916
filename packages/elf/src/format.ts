/** The records and numbers of ELF64. Source: System V ABI, chapters 4 and 5. */
import { defineRecord } from "./record.ts";

export const Ehdr = defineRecord({
  ident_magic: "u32",
  ident_class: "u8",
  ident_data: "u8",
  ident_version: "u8",
  ident_osabi: "u8",
  ident_abiversion: "u8",
  ident_pad0: "u8",
  ident_pad1: "u16",
  ident_pad2: "u32",
  e_type: "u16",
  e_machine: "u16",
  e_version: "u32",
  e_entry: "i64",
  e_phoff: "i64",
  e_shoff: "i64",
  e_flags: "u32",
  e_ehsize: "u16",
  e_phentsize: "u16",
  e_phnum: "u16",
  e_shentsize: "u16",
  e_shnum: "u16",
  e_shstrndx: "u16",
});

export const Phdr = defineRecord({
  p_type: "u32",
  p_flags: "u32",
  p_offset: "i64",
  p_vaddr: "i64",
  p_paddr: "i64",
  p_filesz: "i64",
  p_memsz: "i64",
  p_align: "i64",
});

export const Shdr = defineRecord({
  sh_name: "u32",
  sh_type: "u32",
  sh_flags: "i64",
  sh_addr: "i64",
  sh_offset: "i64",
  sh_size: "i64",
  sh_link: "u32",
  sh_info: "u32",
  sh_addralign: "i64",
  sh_entsize: "i64",
});

export const Sym = defineRecord({
  st_name: "u32",
  st_info: "u8",
  st_other: "u8",
  st_shndx: "u16",
  st_value: "i64",
  st_size: "i64",
});

export const Rela = defineRecord({
  r_offset: "i64",
  /** Low half of r_info. */
  r_type: "u32",
  /** High half of r_info. */
  r_sym: "u32",
  r_addend: "i64",
});

export const Chdr = defineRecord({
  ch_type: "u32",
  ch_reserved: "u32",
  ch_size: "i64",
  ch_addralign: "i64",
});

export const ELF_MAGIC = 0x464c457f;
export const ELFCLASS64 = 2;
export const ELFDATA2LSB = 1;
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
  /** The contents begin with Elf64_Chdr; offsets into the section are offsets into what they unpack to. */
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
