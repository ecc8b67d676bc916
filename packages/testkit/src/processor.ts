/** What the ELF headers of objects say that tests make by hand. */
import type { ElfFormat } from "@suture/elf";

export const X86_64: { machine: number; format: ElfFormat } = { machine: 62, format: { bits: 64, order: "little" } };
