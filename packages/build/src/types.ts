/**
 * Whether a patch changes how a structure lies in memory: objects of it are alive in the kernel, made by code that knows the old layout.
 * Compared are the types that the compiler wrote for both builds (BTF).
 */
import type { ElfObject } from "@suture/elf";
import { Btf, type BtfLayout } from "@suture/kernel";
import { fail } from "./errors.ts";

/**
 * @param accepted structures that may lie otherwise, as somebody has said who knows that no object of the old layout is met by the new code
 * @returns what differs in those
 * @throws BUILD_LAYOUT
 */
export function checkLayouts(original: ElfObject, patched: ElfObject, accepted: ReadonlySet<string>): string[] {
  const [before, after] = [btfOf(original), btfOf(patched)];
  if (before === undefined || after === undefined) return [];
  const notes: string[] = [];
  for (const name of before.compositeNames) {
    const why = difference(before.layout(name), after.layout(name));
    if (why === undefined) continue;
    if (!accepted.has(name)) throw fail("BUILD_LAYOUT", `${name} ${why}`, { file: patched.file, symbol: name });
    notes.push(`${name} ${why}, which was accepted`);
  }
  return notes;
}

/** Structures that an object knows, against the kernel's own types: those of its headers, and what was copied from elsewhere. @throws BUILD_LAYOUT */
export function checkKernelLayouts(kernel: Btf, elf: ElfObject): void {
  const own = btfOf(elf);
  if (own === undefined) return;
  for (const name of own.compositeNames) {
    const why = difference(kernel.layout(name), own.layout(name));
    if (why !== undefined) throw fail("BUILD_LAYOUT", `${name} ${why} in the kernel`, { file: elf.file, symbol: name });
  }
}

function btfOf(elf: ElfObject): Btf | undefined {
  const section = elf.sections.find((s) => s.name === ".BTF");
  return section === undefined ? undefined : new Btf(section.data, elf.file);
}

type Member = BtfLayout["members"][number];

/** A type that is gone or new has no objects that could be misread. */
export function difference(before: BtfLayout | undefined, after: BtfLayout | undefined): string | undefined {
  if (before === undefined || after === undefined) return undefined;
  const old = new Map(before.members.map((member) => [member.name, member]));
  for (const member of after.members) {
    const twin = old.get(member.name);
    if (twin === undefined) {
      const there = before.members.filter((other) => placeOf(other) === placeOf(member));
      const stays = ({ name }: Member): boolean => after.members.some((other) => other.name === name);
      // A second name, in a union, for what lies there all the same.
      if (there.some((other) => other.shape === member.shape && stays(other))) continue;
      const gone = there.find((other) => !stays(other));
      return `has a new member ${member.name} at byte ${member.offset}${gone === undefined ? "" : `, where ${gone.name} was`}`;
    }
    if (placeOf(twin) !== placeOf(member))
      return `has ${member.name} at byte ${member.offset} (${member.size} bytes), it was at ${twin.offset} (${twin.size} bytes)`;
    if (!sameShape(twin.shape, member.shape) && !(isNumber(twin) && isNumber(member)))
      return `has ${member.name} as ${member.shape}, it was ${twin.shape}`;
  }
  return before.size === after.size ? undefined : `has ${after.size} bytes, it had ${before.size}`;
}

function placeOf({ offset, size, bits }: Member): string {
  return `${offset}+${size}${bits === undefined ? "" : `:${bits.offset}/${bits.size}`}`;
}

/** Of the same size, numbers and enumerations hold the same bits. */
function isNumber({ shape }: Member): boolean {
  return /^([su]\d+|enum\d+( \w+)?)$/.test(shape);
}

/**
 * Of an enumeration that a file only declares, the compiler writes that it is a structure of that name. Tags of structures, unions and enumerations
 * are names of one kind: no two of them stand for two types. Arrays of arrays are one array in the kernel's own types.
 */
export function sameShape(a: string, b: string): boolean {
  const plain = (shape: string): string =>
    shape
      .replace(/\b(?:struct|union|enum\d+) (?=\w)/g, "")
      .replace(/(?:\[\d+\]){2,}/g, (lengths) => `[${lengths.match(/\d+/g)?.reduce((product, length) => product * Number(length), 1)}]`);
  return a === b || plain(a) === plain(b);
}
