/** New members of a structure that lie where it had padding, all else of it as before. */
import { type ElfObject, isSection } from "@suture/elf";
import type { BtfLayout } from "@suture/kernel";
import { layoutDifference, sameShape } from "./difference.ts";
import { DwarfTypes } from "./dwarf.ts";

/** By structure, the new members of which it is known that each object has 0 there. */
export type Holes = ReadonlyMap<string, ReadonlySet<string>>;

type Member = BtfLayout["members"][number];

/** What has one value, which 0 is one of. */
const PLAIN = /^(?:[su]\d+|enum\d+(?: \w+)?|.*\*)$/;

/** Undefined where anything else differs, too. */
export function inPadding(before: readonly BtfLayout[], after: readonly BtfLayout[]): Member[] | undefined {
  const [[old, another], [now, other]] = [before, after];
  if (old === undefined || now === undefined || another !== undefined || other !== undefined) return undefined;
  const had = new Set(old.members.map(({ name }) => name));
  const kept = now.members.filter(({ name }) => had.has(name));
  const added = now.members.filter(({ name }) => !had.has(name));
  if (added.length === 0 || kept.length !== old.members.length) return undefined;
  if (layoutDifference([old], [{ ...now, members: kept }], sameShape) !== undefined) return undefined;
  const meets = (one: Member): boolean =>
    old.members.some((member) => touched(one)[0] < touched(member)[1] && touched(member)[0] < touched(one)[1]);
  return added.some(meets) ? undefined : added;
}

/** From byte to byte: of a bit-field all that is read and written with it. */
function touched({ offset, size, bits }: Member): [number, number] {
  if (bits === undefined) return [offset, offset + size];
  const start = size * Math.floor(bits.offset / (8 * size));
  const end = size * Math.ceil((bits.offset + bits.size) / (8 * size));
  return [start, end];
}

/** What stands in the way of new members that lie in padding. Undefined: nothing. @throws BUILD_BAD_DWARF */
export function notHeld(original: ElfObject, type: string, added: readonly Member[], held: ReadonlySet<string>): string | undefined {
  // Of a structure without a name its members are told, too.
  const names = [...new Set(added.map(({ name }) => /^\w*/.exec(name)?.[0] ?? name))];
  if (!names.every((name) => held.has(name))) return `has new members in what was padding (${names.join(", ")})`;
  const many = added.find(({ shape }) => !PLAIN.test(shape));
  if (many !== undefined) return `has ${many.name} in what was padding, a ${many.shape}, of which 0 may be no value`;
  const variable = withOther(original, type, added);
  return variable === undefined ? undefined : `has ${names.join(", ")} in what was padding, and the variable ${variable} is not 0 there`;
}

/** A variable whose initial value has something else than 0 in such a place. */
function withOther(original: ElfObject, type: string, added: readonly Member[]): string | undefined {
  for (const { kept, variable } of DwarfTypes.of(original)?.defined.values() ?? []) {
    if (kept === undefined || !isSection(kept.place)) continue;
    const { name, shape, size } = variable();
    if (shape.replace(/(?:\[\d+\])+$/, "") !== `struct ${type}`) continue;
    const bytes = kept.place.data.subarray(kept.value, kept.value + size);
    const each = Number(/\[(\d+)\]$/.exec(shape)?.[1] ?? 1);
    const length = size / each;
    for (let start = 0; start < bytes.length; start += length)
      if (added.some((member) => bytes.subarray(start + touched(member)[0], start + touched(member)[1]).some((byte) => byte !== 0)))
        return name;
  }
  return undefined;
}
