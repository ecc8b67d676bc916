/** The kernel's own list of the fields that are relocated when it boots (what it is like, the processor says), by address. */
import type { Arch, Relocated } from "@suture/arch";
import type { KernelAddress } from "./address.ts";
import { fail } from "./errors.ts";
import type { ImageLayout, ImageSection } from "./layout.ts";

/** Addresses of fields by their kind, each sorted. The addresses are those where the field is at boot: per-cpu data at their load address. */
export type RelocationTable = Record<Relocated, Uint32Array>;

export const RELOCATED: readonly Relocated[] = ["abs32", "inverse32", "abs64"];

/**
 * @param tail what follows the ELF file in the payload; nothing if the kernel cannot be moved
 * @param fileOffset of `tail` in the unpacked image, for errors
 */
export function readRelocationTable(
  tail: Uint8Array,
  arch: Arch,
  layout: ImageLayout,
  file: string,
  fileOffset: number,
): RelocationTable | undefined {
  const where = { file, offset: fileOffset };
  const fields = arch.image.relocatedFields(tail);
  if (fields === undefined) return undefined;
  if (typeof fields === "string") throw fail("KERNEL_BAD_RELOCATIONS", fields, where);
  const addresses = (kind: Relocated): Uint32Array => Uint32Array.from(fields[kind], (value) => layout.space.of(value));
  const table = { abs32: addresses("abs32"), inverse32: addresses("inverse32"), abs64: addresses("abs64") };
  for (const kind of RELOCATED) checkGroup(table[kind], kind, layout, where);
  return table;
}

/** Sorted without doubles, and every field lies in a section that has bytes. */
function checkGroup(group: Uint32Array, kind: Relocated, layout: ImageLayout, where: { file: string; offset: number }): void {
  const width = kind === "abs64" ? 8 : 4;
  group.sort();
  let section: ImageSection | undefined;
  let end = 0;
  for (let i = 0; i < group.length; i++) {
    const address = layout.space.at(group[i] as number);
    if (i > 0 && group[i] === group[i - 1])
      throw fail("KERNEL_BAD_RELOCATIONS", `the ${kind} field at ${layout.space.hex(address)} is listed twice`, where);
    const field = layout.linked(address);
    if (section === undefined || field < section.address || field + width > end) {
      section = layout.sectionAt(field);
      end = section === undefined ? 0 : section.address + section.size;
    }
    if (section === undefined || section.nobits || field + width > end)
      throw fail("KERNEL_BAD_RELOCATIONS", `the ${kind} field at ${layout.space.hex(address)} lies in no section's bytes`, where);
  }
}

/** Whether the sorted group holds the address. */
export function holds(group: Uint32Array, address: KernelAddress): boolean {
  const at = firstNotBelow(group, address);
  return group[at] === address;
}

/** Index of the first entry >= address. */
export function firstNotBelow(group: Uint32Array, address: KernelAddress): number {
  let low = 0;
  let high = group.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((group[middle] as number) < address) low = middle + 1;
    else high = middle;
  }
  return low;
}
