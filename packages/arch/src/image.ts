import type { ElfObject } from "@suture/elf";
import type { Relocated } from "./relocations.ts";

/** A kernel as boot loaders take it. */
export interface BootImage {
  /** What `uname -r` says, as it stands in the file, and where the file says it. */
  release: string;
  releaseAt: number;
  /** The packed kernel with its length word (4 bytes, but for gzip, whose own trailer ends with the length). */
  payload: Uint8Array;
  /** Byte offset of the payload in the file. */
  payloadAt: number;
}

/** Why a boot image cannot be read. */
export interface BadBootImage {
  /** A field that cannot be so, or a file that is too short. */
  what: "header" | "truncated";
  why: string;
  /** Byte offset in the file. */
  offset: number;
}

/** What a kernel's image is like on the processor. */
export interface Image {
  /** The value of the address that all addresses of the image count from: the lowest that it can be linked at. Signed, as ELF values are. */
  base(elf: ElfObject): number;
  /** What begins a boot image, in words. */
  header: string;
  /** Whether bytes are those of a boot image, by the first of them (a few KiB). */
  isBootImage(bytes: Uint8Array): boolean;
  /** @param bytes a whole boot image */
  readBootImage(bytes: Uint8Array): BootImage | BadBootImage;
  /**
   * Which fields the boot code changes when it moves the kernel, by what follows the ELF file in the payload: where each is at boot, as ELF values.
   * Undefined for a kernel that cannot be moved. @returns why not, if it is no such list
   */
  relocatedFields(tail: Uint8Array): Readonly<Record<Relocated, Int32Array>> | undefined | string;
}
