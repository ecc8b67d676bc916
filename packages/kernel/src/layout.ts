/** The image by address: which section holds it, and where that is in the ELF file. */
import { type ElfObject, SHF, SHT } from "@suture/elf";
import { fail } from "./errors.ts";

/** A section that takes part in the running kernel (SHF_ALLOC). */
export interface ImageSection {
  name: string;
  address: number;
  /** Bytes. */
  size: number;
  /** No bytes in the file: zeros at boot. */
  nobits: boolean;
  executable: boolean;
  /** Byte offset of the contents in the ELF file; 0 for NOBITS. */
  offset: number;
}

/** As the hardware orders addresses: per-cpu offsets first, then the kernel. Exact for the two ranges that exist, which fit 32 bits signed. */
export function unsigned(address: number): number {
  return address >>> 0;
}

/** An address that is a per-cpu offset or in the top 2 GiB. */
export function isKernelAddress(address: number): boolean {
  return (address | 0) === address;
}

/** Where the boot-time copy of the per-cpu section is, for kernels that link the section itself at address 0. */
export interface PerCpuArea {
  /** __per_cpu_load */
  load: number;
  /** Bytes. */
  size: number;
}

export class ImageLayout {
  /** In order of (unsigned) address. */
  readonly sections: readonly ImageSection[];
  readonly perCpu: PerCpuArea | undefined;

  constructor(sections: readonly ImageSection[], perCpu: PerCpuArea | undefined) {
    this.sections = sections;
    this.perCpu = perCpu;
  }

  /** The section that holds the address. */
  sectionAt(address: number): ImageSection | undefined {
    if (!isKernelAddress(address)) return undefined;
    const key = unsigned(address);
    let low = 0;
    let high = this.sections.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (unsigned((this.sections[middle] as ImageSection).address) <= key) low = middle + 1;
      else high = middle;
    }
    const section = this.sections[low - 1];
    return section !== undefined && key - unsigned(section.address) < section.size ? section : undefined;
  }

  /** The address that a byte was linked at: a per-cpu offset for one that boots inside of the per-cpu area. */
  linked(address: number): number {
    const { perCpu } = this;
    return perCpu !== undefined && address >= perCpu.load && address < perCpu.load + perCpu.size ? address - perCpu.load : address;
  }

  /** The address that a byte has at boot: the reverse of `linked`. */
  booted(address: number): number {
    const { perCpu } = this;
    return perCpu !== undefined && address >= 0 && address < perCpu.size ? address + perCpu.load : address;
  }
}

/** @throws KERNEL_BAD_IMAGE */
export function readLayout(elf: ElfObject): ImageLayout {
  const sections: ImageSection[] = [];
  let total = 0;
  for (const section of elf.sections) {
    if ((section.flags & SHF.ALLOC) === 0 || section.size === 0) continue;
    const where = { file: elf.file, section: section.name };
    if (!isKernelAddress(section.addr) || unsigned(section.addr) + section.size > 0x100000000)
      throw fail("KERNEL_BAD_IMAGE", `${section.size} bytes at ${hex(section.addr)} are not where a kernel is`, where);
    total += section.size;
    if (total > LARGEST_KERNEL) throw fail("KERNEL_BAD_IMAGE", `with it the kernel has more than ${LARGEST_KERNEL} bytes`, where);
    const nobits = section.type === SHT.NOBITS;
    sections.push({
      name: section.name,
      address: section.addr,
      size: section.size,
      nobits,
      executable: (section.flags & SHF.EXECINSTR) !== 0,
      offset: nobits ? 0 : (section.origin?.offset ?? 0),
    });
  }
  sections.sort((a, b) => unsigned(a.address) - unsigned(b.address));
  for (let i = 1; i < sections.length; i++) {
    const before = sections[i - 1];
    const section = sections[i];
    if (before !== undefined && section !== undefined && unsigned(section.address) < unsigned(before.address) + before.size)
      throw fail("KERNEL_BAD_IMAGE", `starts at ${hex(section.address)}, inside of ${before.name}`, {
        file: elf.file,
        section: section.name,
      });
  }
  return new ImageLayout(sections, perCpuArea(elf));
}

/** The one segment at virtual address 0; it boots as far from the others as its physical address says. */
function perCpuArea(elf: ElfObject): PerCpuArea | undefined {
  const loads = elf.segments.filter((segment) => segment.type === PT_LOAD && segment.memsz > 0);
  const text = loads.find((segment) => segment.vaddr < 0);
  const area = loads.find((segment) => segment.vaddr === 0);
  if (text === undefined || area === undefined) return undefined;
  const load = area.paddr + text.vaddr - text.paddr;
  if (!isKernelAddress(load) || load >= 0 || load + area.memsz > 0)
    throw fail("KERNEL_BAD_IMAGE", `the per-cpu segment of ${area.memsz} bytes boots at ${hex(load)}`, { file: elf.file });
  return { load, size: area.memsz };
}

const PT_LOAD = 1;
/** KERNEL_IMAGE_SIZE, the addresses that a kernel has for itself. */
const LARGEST_KERNEL = 1 << 30;

/** 64-bit hex. */
export function hex(address: number): string {
  return `0x${BigInt.asUintN(64, BigInt(Math.trunc(address)))
    .toString(16)
    .padStart(16, "0")}`;
}
