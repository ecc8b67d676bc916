/**
 * The relocation table that the kernel's build appends to the ELF file before packing it: what the boot code adds the KASLR offset to.
 * Written as 32-bit words, meant to be read backwards: abs32 fields, a zero, inverse32 fields (per-cpu), a zero, abs64 fields, a zero. Each
 * word is the low half of the field's address. Source: emit_relocs() of arch/x86/tools/relocs.c, handle_relocations() of
 * arch/x86/boot/compressed/misc.c. Kernels whose per-cpu section is not at address 0 have no inverse32 group.
 */
import { type ByteOrder, viewOf } from "@suture/elf";
import type { KernelAddress } from "./address.ts";
import { fail } from "./errors.ts";
import type { ImageLayout, ImageSection } from "./layout.ts";

export type Relocated = "abs32" | "inverse32" | "abs64";

/** Addresses of fields by their kind, each sorted. The addresses are those where the field is at boot: per-cpu data at their load address. */
export type RelocationTable = Record<Relocated, Uint32Array>;

export const RELOCATED: readonly Relocated[] = ["abs32", "inverse32", "abs64"];

/**
 * @param order of the words
 * @param tail what follows the ELF file in the payload; nothing if the kernel cannot be moved
 * @param fileOffset of `tail` in the unpacked image, for errors
 */
export function readRelocationTable(
  tail: Uint8Array,
  order: ByteOrder,
  layout: ImageLayout,
  file: string,
  fileOffset: number,
): RelocationTable | undefined {
  const where = { file, offset: fileOffset };
  if (tail.length === 0) return undefined;
  if (tail.length % 4 !== 0)
    throw fail("KERNEL_BAD_RELOCATIONS", `${tail.length} bytes after the ELF file are no table of 32-bit words`, where);
  const view = viewOf(tail, order);
  const words = new Int32Array(tail.length / 4);
  for (let i = 0; i < words.length; i++) words[i] = view.i32(i * 4);
  if (words[0] !== 0) throw fail("KERNEL_BAD_RELOCATIONS", "the word before the first group is not zero", where);
  const groups: Uint32Array[] = [];
  for (let end = words.length; end > 0; ) {
    const stop = words.lastIndexOf(0, end - 1);
    groups.push(Uint32Array.from(words.subarray(stop + 1, end), (value) => layout.space.of(value)));
    end = stop;
  }
  if (groups.length < 2 || groups.length > 3) throw fail("KERNEL_BAD_RELOCATIONS", `${groups.length} groups, 2 or 3 are known`, where);
  const [abs32, inner, outer] = groups as [Uint32Array, Uint32Array, Uint32Array | undefined];
  const table: RelocationTable =
    outer === undefined ? { abs32, inverse32: new Uint32Array(0), abs64: inner } : { abs32, inverse32: inner, abs64: outer };
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
