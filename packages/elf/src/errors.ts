import { defineErrors } from "@suture/errors";

export const elfErrors = defineErrors({
  ELF_NOT_ELF: {
    cause: "The file does not start with an ELF header.",
    mend: "Give an object, as gcc -c or a kernel build makes it.",
  },
  ELF_TRUNCATED: {
    cause: "A table or section of the file reaches past the file's end.",
    mend: "The file is cut off or damaged: build or copy it again.",
  },
  ELF_BAD_HEADER: {
    cause: "A field of the ELF header has a value that the format does not allow.",
    mend: "The file is damaged or not made by a known linker: build it again.",
  },
  ELF_BAD_SECTION: {
    cause: "A section header is not well formed: type, alignment, entry size, link or name.",
    mend: "The file is damaged or not made by a known linker: build it again.",
  },
  ELF_OVERLAP: {
    cause: "Two parts of the file claim the same bytes.",
    mend: "The file is damaged: build it again.",
  },
  ELF_BAD_STRING: {
    cause: "A name points outside of its string table, or is not ended, or is longer than a symbol name may be.",
    mend: "The file is damaged: build it again.",
  },
  ELF_BAD_SYMBOL: {
    cause: "A symbol names a section that is not there, or lies outside of its section.",
    mend: "The file is damaged: build it again.",
  },
  ELF_BAD_RELOCATION: {
    cause: "A relocation lies outside of its section or names a symbol that is not there.",
    mend: "The file is damaged: build it again.",
  },
  ELF_UNSUPPORTED: {
    cause:
      "The file is well formed but uses something that Suture does not handle (REL relocations, a class or byte order that is none of ELF).",
    mend: "Give an object with RELA relocations, as gcc -c or a kernel build makes it.",
  },
  ELF_DANGLING: {
    cause: "An object to be written refers to a section or symbol that is not part of it.",
    mend: "This is a fault in Suture: report it with the command and its inputs.",
  },
});

export const fail = elfErrors.fail;
