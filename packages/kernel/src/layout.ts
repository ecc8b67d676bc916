/** The image by address: which section holds it, and where that is in the ELF file. */
import { type ElfObject, SHF, SHT } from "@suture/elf";
import { type AddressSpace, type KernelAddress, offsetBy, RANKS } from "./address.ts";
import { fail } from "./errors.ts";

/** A section that takes part in the running kernel (SHF_ALLOC). */
export interface ImageSection {
  name: string;
  address: KernelAddress;
  /** Bytes. */
  size: number;
  /** No bytes in the file: zeros at boot. */
  nobits: boolean;
  executable: boolean;
  /** Byte offset of the contents in the ELF file; 0 for NOBITS. */
  offset: number;
}

/** Where the boot-time copy of the per-cpu section is, for kernels that link the section itself at address 0. */
export interface PerCpuArea {
  /** __per_cpu_load */
  load: KernelAddress;
  /** Bytes. */
  size: number;
}

export class ImageLayout {
  readonly space: AddressSpace;
  /** As their addresses are ranked. */
  readonly sections: readonly ImageSection[];
  readonly perCpu: PerCpuArea | undefined;

  constructor(space: AddressSpace, sections: readonly ImageSection[], perCpu: PerCpuArea | undefined) {
    this.space = space;
    this.sections = sections;
    this.perCpu = perCpu;
  }

  /** The section that holds the address. */
  sectionAt(address: KernelAddress): ImageSection | undefined {
    const { space } = this;
    if (!space.holds(address)) return undefined;
    const rank = space.rank(address);
    let low = 0;
    let high = this.sections.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (space.rank((this.sections[middle] as ImageSection).address) <= rank) low = middle + 1;
      else high = middle;
    }
    const section = this.sections[low - 1];
    return section !== undefined && rank - space.rank(section.address) < section.size ? section : undefined;
  }

  /** The address that a byte was linked at: a per-cpu offset for one that boots inside of the per-cpu area. */
  linked(address: KernelAddress): KernelAddress {
    const { perCpu, space } = this;
    return perCpu !== undefined && address >= perCpu.load && address < perCpu.load + perCpu.size
      ? space.of(address - perCpu.load)
      : address;
  }

  /** The address that a byte has at boot: the reverse of `linked`. */
  booted(address: KernelAddress): KernelAddress {
    const { perCpu, space } = this;
    const offset = space.value(address);
    return perCpu !== undefined && offset >= 0 && offset < perCpu.size ? offsetBy(perCpu.load, offset) : address;
  }
}

/** @throws KERNEL_BAD_IMAGE */
export function readLayout(elf: ElfObject, space: AddressSpace): ImageLayout {
  const sections: ImageSection[] = [];
  let total = 0;
  for (const section of elf.sections) {
    if ((section.flags & SHF.ALLOC) === 0 || section.size === 0) continue;
    const where = { file: elf.file, section: section.name };
    const address = space.of(section.addr);
    if (!space.holds(address) || space.rank(address) + section.size > RANKS.end)
      throw fail("KERNEL_BAD_IMAGE", `${section.size} bytes at ${space.hex(address)} are not where a kernel is`, where);
    total += section.size;
    if (total > LARGEST_KERNEL) throw fail("KERNEL_BAD_IMAGE", `with it the kernel has more than ${LARGEST_KERNEL} bytes`, where);
    const nobits = section.type === SHT.NOBITS;
    sections.push({
      name: section.name,
      address,
      size: section.size,
      nobits,
      executable: (section.flags & SHF.EXECINSTR) !== 0,
      offset: nobits ? 0 : (section.origin?.offset ?? 0),
    });
  }
  sections.sort((a, b) => space.rank(a.address) - space.rank(b.address));
  for (let i = 1; i < sections.length; i++) {
    const before = sections[i - 1];
    const section = sections[i];
    if (before !== undefined && section !== undefined && space.rank(section.address) < space.rank(before.address) + before.size)
      throw fail("KERNEL_BAD_IMAGE", `starts at ${space.hex(section.address)}, inside of ${before.name}`, {
        file: elf.file,
        section: section.name,
      });
  }
  return new ImageLayout(space, sections, perCpuArea(elf, space));
}

/** The one segment at virtual address 0; it boots as far from the others as its physical address says. */
function perCpuArea(elf: ElfObject, space: AddressSpace): PerCpuArea | undefined {
  const loads = elf.segments.filter((segment) => segment.type === PT_LOAD && segment.memsz > 0);
  const text = loads.find((segment) => space.isInImage(space.of(segment.vaddr)));
  const area = loads.find((segment) => segment.vaddr === 0);
  if (text === undefined || area === undefined) return undefined;
  const load = space.of(area.paddr + text.vaddr - text.paddr);
  if (!space.isInImage(load) || space.rank(load) + area.memsz > RANKS.end)
    throw fail("KERNEL_BAD_IMAGE", `the per-cpu segment of ${area.memsz} bytes boots at ${space.hex(load)}`, { file: elf.file });
  return { load, size: area.memsz };
}

const PT_LOAD = 1;
/** KERNEL_IMAGE_SIZE, the addresses that a kernel has for itself. */
const LARGEST_KERNEL = 1 << 30;
