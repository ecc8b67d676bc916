/**
 * Units of source packages that may be halves of one fix: packages do not say which lines are one, and half a fix can be worse than none. Where one is
 * left out, those are in doubt that use what its functions use, or the other way round, and few files of the kernel do: a member, a called function, one
 * that is put into the operations that it calls. What is asked is only what keeps a unit out, so that it may be asked widely.
 */
import { areNear } from "./near.ts";
import type { NamedHunk } from "./pieces.ts";

/** By unit, those that may be its other half, and what both have to do with. */
export type Halves = ReadonlyMap<number, ReadonlyMap<number, string>>;

/** In how many C files of the kernel a name is that says something between functions of one file, and of one folder or one below it. */
const IN_FILE = 15;
const IN_FOLDER = 8;

/** A unit as far as it matters here. */
export interface Part {
  index: number;
  idle: boolean;
  hunks: readonly NamedHunk[];
}

interface Place {
  unit: number;
  path: string;
  /** Its lines have the name, or declare it; and not only its functions. */
  isChange: boolean;
}

/** @param filesWith in how many C files of the kernel a name is */
export function halvesOf(units: readonly Part[], filesWith: (name: string) => number): Halves {
  const found = new Map<number, Map<number, string>>();
  const join = (one: Place, other: Place, name: string): void => {
    if (one.unit === other.unit || !(one.isChange || other.isChange)) return;
    for (const [a, b] of [
      [one.unit, other.unit],
      [other.unit, one.unit],
    ] as const) {
      const known = found.get(a) ?? new Map<number, string>();
      if (!known.has(b)) known.set(b, name);
      found.set(a, known);
    }
  };
  const places = placesOf(units);
  for (const [name, all] of [...places].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const count = filesWith(name);
    if (count > IN_FILE) continue;
    for (const [i, one] of all.entries())
      for (const other of all.slice(0, i))
        if (one.path === other.path || (count <= IN_FOLDER && areNear(one.path, other.path))) join(one, other, name);
  }
  const operations = operationsOf(units);
  for (const { index, hunks } of units)
    for (const { inside, path } of hunks)
      for (const { name, kind } of inside)
        if (kind === "function")
          for (const slot of slotsLike(name))
            if (filesWith(slot) <= IN_FOLDER)
              for (const other of operations.get(slot) ?? [])
                join({ unit: index, path, isChange: true }, { unit: other, path: "", isChange: false }, `${slot}, as ${name}`);
  return found;
}

/** Of each name, where it is used, each file of a unit once. */
function placesOf(units: readonly Part[]): Map<string, Place[]> {
  const found = new Map<string, Place[]>();
  for (const { index, idle, hunks } of units) {
    if (idle) continue;
    const own = new Map<string, Map<string, boolean>>();
    const put = (hunk: NamedHunk, names: Iterable<string>, isChange: boolean): void => {
      for (const name of names) {
        const files = own.get(name) ?? new Map<string, boolean>();
        files.set(hunk.path, isChange || files.get(hunk.path) === true);
        own.set(name, files);
      }
    };
    for (const hunk of hunks) {
      if (hunk.idle) continue;
      put(hunk, hunk.around, false);
      put(hunk, hunk.uses, true);
      put(
        hunk,
        hunk.inside.map(({ name }) => name),
        true,
      );
    }
    for (const [name, files] of own)
      found.set(name, [...(found.get(name) ?? []), ...[...files].map(([path, isChange]) => ({ unit: index, path, isChange }))]);
  }
  return found;
}

/** Of each member that is called, the units in whose functions. */
function operationsOf(units: readonly Part[]): Map<string, Set<number>> {
  const found = new Map<string, Set<number>>();
  for (const { index, idle, hunks } of units)
    for (const hunk of idle ? [] : hunks)
      for (const name of hunk.idle ? [] : hunk.operations) found.set(name, (found.get(name) ?? new Set()).add(index));
  return found;
}

/** What operations may call a function by: the end of its name, two words at least. */
function slotsLike(name: string): string[] {
  const words = name.split("_");
  return words.slice(1, -1).map((_, at) => words.slice(at + 1).join("_"));
}
