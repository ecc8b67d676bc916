/** What differs between two layouts of a structure, or two types of a variable, so that what lies there would be misread. */
import type { BtfLayout } from "@suture/kernel";
import type { Variable } from "./dwarf.ts";

type Member = BtfLayout["members"][number];
/** Whether two shapes stand for the same. */
export type Same = (a: string, b: string) => boolean;

/**
 * Of a name that stands for several types, each must lie as one of those did. A type that is gone or new has no objects that could be misread.
 * @param before different ones
 */
export function layoutDifference(before: readonly BtfLayout[], after: readonly BtfLayout[], same: Same): string | undefined {
  if (before.length === 0) return undefined;
  for (const layout of after) {
    const differences = before.map((other) => difference(other, layout, same));
    if (differences.every((why) => why !== undefined)) return differences[0];
  }
  return undefined;
}

function difference(before: BtfLayout, after: BtfLayout, same: Same): string | undefined {
  const why = memberDifference(before.members, after.members, same);
  if (why !== undefined) return why;
  return before.size === after.size ? undefined : `has ${after.size} bytes, it had ${before.size}`;
}

/** Of a variable that the kernel has. */
export function variableDifference(before: Variable, after: Variable): string | undefined {
  const why = memberDifference(before.members, after.members, sameShape);
  if (why !== undefined) return why;
  // `extern int table[];` says nothing of the length.
  const open = [before, after].some(({ shape }) => shape.endsWith("[0]"));
  const shapes = [before.shape, after.shape].map((shape) => (open ? shape.replace(/\[\d+\]$/, "[]") : shape)) as [string, string];
  if (!sameShape(...shapes) && !alikeNumbers(...shapes)) return `is ${after.shape}, it was ${before.shape}`;
  return open || before.size === after.size ? undefined : `has ${after.size} bytes, it had ${before.size}`;
}

function memberDifference(before: readonly Member[], after: readonly Member[], same: Same): string | undefined {
  if (before.length === after.length && after.every((member, i) => isSame(before[i] as Member, member))) return undefined;
  const old = new Map(before.map((member) => [member.name, member]));
  const now = new Set(after.map(({ name }) => name));
  const stays = ({ name }: Member): boolean => now.has(name);
  for (const member of after) {
    const twin = old.get(member.name);
    if (twin === undefined) {
      const there = before.filter((other) => placeOf(other) === placeOf(member));
      // A second name, in a union, for what lies there all the same.
      if (there.some((other) => other.shape === member.shape && stays(other))) continue;
      const gone = there.find((other) => !stays(other));
      return `has a new member ${member.name} at ${placeText(member)}${gone === undefined ? "" : `, where ${gone.name} was`}`;
    }
    if (placeOf(twin) !== placeOf(member))
      return `has ${member.name} at ${placeText(member)} (${sizeText(member)}), it was at ${placeText(twin)} (${sizeText(twin)})`;
    if (!same(twin.shape, member.shape) && !alikeNumbers(twin.shape, member.shape))
      return `has ${member.name} as ${member.shape}, it was ${twin.shape}`;
  }
  return undefined;
}

function isSame(one: Member, other: Member): boolean {
  return (
    one.name === other.name &&
    one.offset === other.offset &&
    one.size === other.size &&
    one.shape === other.shape &&
    one.bits?.offset === other.bits?.offset &&
    one.bits?.size === other.bits?.size
  );
}

function placeOf({ offset, size, bits }: Member): string {
  return `${offset}+${size}${bits === undefined ? "" : `:${bits.offset}/${bits.size}`}`;
}

function placeText({ offset, bits }: Member): string {
  return bits === undefined ? `byte ${offset}` : `bit ${bits.offset}`;
}

function sizeText({ size, bits }: Member): string {
  return bits === undefined ? `${size} bytes` : `${bits.size} bit${bits.size === 1 ? "" : "s"}`;
}

/** Of the same size, numbers with and without a sign hold the same bits, and so do an enumeration and a number; two enumerations mean other things by them. */
function alikeNumbers(a: string, b: string): boolean {
  const [one, other] = [a, b].map((shape) => /^([su]|enum)(\d+)(?: (\w+))?((?:\[\d*\])*)$/.exec(shape));
  if (one == null || other == null || one[2] !== other[2] || one[4] !== other[4]) return false;
  return one[3] === undefined || other[3] === undefined || one[3] === other[3];
}

/**
 * Of an enumeration that a file only declares, the compiler writes that it is a structure of that name. Tags of structures, unions and enumerations
 * are names of one kind: no two of them stand for two types.
 */
export function sameShape(a: string, b: string): boolean {
  return a === b || withoutKinds(a) === withoutKinds(b);
}

/**
 * Arrays of arrays are one array in the kernel's own types; and whether char has a sign is told by compiler options and by the tool that wrote them
 * (pahole), not by the source.
 */
export function sameShapeInKernel(a: string, b: string): boolean {
  const plain = (shape: string): string =>
    withoutKinds(shape.replace(/\b[su]8\b/g, "8")).replace(
      /(?:\[\d+\]){2,}/g,
      (lengths) => `[${lengths.match(/\d+/g)?.reduce((product, length) => product * Number(length), 1)}]`,
    );
  return a === b || plain(a) === plain(b);
}

function withoutKinds(shape: string): string {
  return shape.replace(/\b(?:struct|union|enum\d+) (?=\w)/g, "");
}
