/**
 * The list of relocated fields that the kernel's build appends to the ELF file before packing it: what the boot code adds the KASLR offset to.
 * Written as 32-bit words, meant to be read backwards: abs32 fields, a zero, inverse32 fields (per-cpu), a zero, abs64 fields, a zero. Each
 * word is the low half of the field's address. Source: emit_relocs() of arch/x86/tools/relocs.c, handle_relocations() of
 * arch/x86/boot/compressed/misc.c. Kernels whose per-cpu section is not at address 0 have no inverse32 group.
 */
import { viewOf } from "@suture/elf";
import type { Relocated } from "../relocations.ts";

export function relocatedFields(tail: Uint8Array): Record<Relocated, Int32Array> | undefined | string {
  if (tail.length === 0) return undefined;
  if (tail.length % 4 !== 0) return `${tail.length} bytes after the ELF file are no table of 32-bit words`;
  const view = viewOf(tail, "little");
  const words = new Int32Array(tail.length / 4);
  for (let i = 0; i < words.length; i++) words[i] = view.i32(i * 4);
  if (words[0] !== 0) return "the word before the first group is not zero";
  const groups: Int32Array[] = [];
  for (let end = words.length; end > 0; ) {
    const stop = words.lastIndexOf(0, end - 1);
    groups.push(words.subarray(stop + 1, end));
    end = stop;
  }
  if (groups.length < 2 || groups.length > 3) return `${groups.length} groups, 2 or 3 are known`;
  const [abs32, inner, outer] = groups as [Int32Array, Int32Array, Int32Array | undefined];
  return outer === undefined ? { abs32, inverse32: new Int32Array(0), abs64: inner } : { abs32, inverse32: inner, abs64: outer };
}
