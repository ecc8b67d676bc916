import type { ElfObject } from "@suture/elf";

/** What a kernel's image is like on the processor. */
export interface Image {
  /** The value of the address that all addresses of the image count from: the lowest that it can be linked at. Signed, as ELF values are. */
  base(elf: ElfObject): number;
}
