/**
 * Whether a patch changes how a structure lies in memory: objects of it are alive in the kernel, made by code that knows the old layout.
 * Compared are the types that the compiler wrote for both builds (BTF).
 */
import type { ElfObject } from "@suture/elf";
import { Btf, type BtfMember } from "@suture/kernel";
import { fail } from "./errors.ts";

/** @throws BUILD_LAYOUT */
export function checkLayouts(original: ElfObject, patched: ElfObject): void {
  const [before, after] = [btfOf(original), btfOf(patched)];
  if (before === undefined || after === undefined) return;
  for (const name of before.compositeNames) {
    const why = difference(layoutOf(before, name), layoutOf(after, name));
    if (why !== undefined) throw fail("BUILD_LAYOUT", `${name} ${why}`, { file: patched.file, symbol: name });
  }
}

function btfOf(elf: ElfObject): Btf | undefined {
  const section = elf.sections.find((s) => s.name === ".BTF");
  return section === undefined ? undefined : new Btf(section.data, elf.file);
}

interface Layout {
  size: number;
  members: BtfMember[];
}

function layoutOf(btf: Btf, name: string): Layout | undefined {
  const size = btf.structSize(name);
  const members = btf.members(name);
  return size === undefined || members === undefined ? undefined : { size, members };
}

/** A type that is gone or new has no objects that could be misread; a member that only has another name lies where it was. */
function difference(before: Layout | undefined, after: Layout | undefined): string | undefined {
  if (before === undefined || after === undefined) return undefined;
  const key = ({ offset, size, bits }: BtfMember): string => `${offset}+${size}${bits === undefined ? "" : `:${bits.offset}/${bits.size}`}`;
  const old = new Map(before.members.map((member) => [member.name, member]));
  const oldPlaces = new Set(before.members.map(key));
  for (const member of after.members) {
    const twin = old.get(member.name);
    if (twin !== undefined && key(twin) !== key(member))
      return `has ${member.name} at byte ${member.offset} (${member.size} bytes), it was at ${twin.offset} (${twin.size} bytes)`;
    if (twin === undefined && !oldPlaces.has(key(member))) return `has a new member ${member.name} at byte ${member.offset}`;
  }
  return before.size === after.size ? undefined : `has ${after.size} bytes, it had ${before.size}`;
}
