/**
 * Units of source packages that may be halves of one fix: packages do not say which lines are one, and half a fix can be worse than none. Where one is
 * left out, those are in doubt that have to do with the same as it, and few files of the kernel do: both change lines with a member or a call, or a
 * constant that goes or comes; one changes what the other's functions call, themselves or by a member of operations; one changes lines with a member,
 * and the other's functions lock by it or count it, or its lines are beside one with it; both begin or cease to lock by the same. Where a check only goes, whatever else changes in its file
 * is in doubt. What is asked is only what keeps a unit out, so that it may be asked widely.
 */
import { codeOf, sameTokens } from "../c/comments.ts";
import { answering } from "./answering.ts";
import { areNear } from "./near.ts";
import type { NamedHunk } from "./pieces.ts";

export interface Tie {
  /** What both have to do with. */
  name: string;
  /**
   * By name, in one file or folder. What is tied by a member that is called is in doubt where the other is refused, not where that is in doubt itself.
   */
  isStrong: boolean;
}

/** By unit, those that may be its other half. */
export type Halves = ReadonlyMap<number, ReadonlyMap<number, Tie>>;

/** In how many C files of the kernel a name is that says something between functions of one file, and of one folder or one below it. */
const IN_FILE = 15;
const IN_FOLDER = 8;

/** A unit as far as it matters here. */
export interface Part {
  index: number;
  idle: boolean;
  hunks: readonly NamedHunk[];
}

/**
 * How a unit has to do with a name: its lines have it, or those around them; it is a function that they are in; functions that they are in call it, or
 * lock or count by it.
 */
type Role = "lines" | "beside" | "inside" | "calls" | "guards";

/** Pairs of roles that make two units one fix, perhaps. */
const TYING: ReadonlySet<string> = new Set(["lines lines", "lines inside", "calls inside", "guards lines"]);
/** In one file alone. */
const TYING_IN_FILE: ReadonlySet<string> = new Set([...TYING, "beside lines"]);

interface Place {
  unit: number;
  path: string;
  role: Role;
}

/** @param filesWith in how many C files of the kernel a name is */
export function halvesOf(units: readonly Part[], filesWith: (name: string) => number): Halves {
  const found = new Map<number, Map<number, Tie>>();
  const tie = (one: number, other: number, by: Tie): void => {
    if (one === other) return;
    for (const [a, b] of [
      [one, other],
      [other, one],
    ] as const) {
      const known = found.get(a) ?? new Map<number, Tie>();
      if (by.isStrong ? known.get(b)?.isStrong !== true : !known.has(b)) known.set(b, by);
      found.set(a, known);
    }
  };
  for (const [name, all] of [...placesOf(units)].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const count = filesWith(name);
    if (count > IN_FILE) continue;
    for (const one of all)
      for (const other of all) {
        const isOneFile = one.path === other.path;
        if (!(isOneFile ? TYING_IN_FILE : TYING).has(`${one.role} ${other.role}`)) continue;
        if (isOneFile || (count <= IN_FOLDER && areNear(one.path, other.path))) tie(one.unit, other.unit, { name, isStrong: true });
      }
  }
  for (const [one, other, name] of lockingAlike(units)) tie(one, other, { name, isStrong: true });
  for (const [one, other, name] of answering(units)) tie(one, other, { name, isStrong: true });
  for (const [one, other, path] of losingChecks(units)) tie(one, other, { name: `a check in ${path} that goes`, isStrong: true });
  for (const [one, other, path] of readingOtherwise(units))
    tie(one, other, { name: `a member that is read otherwise in ${path}`, isStrong: true });
  for (const [one, other, lock] of decidingLocks(units)) tie(one, other, { name: `whether ${lock} is locked`, isStrong: true });
  const operations = operationsOf(units);
  for (const { index, hunks } of units)
    for (const { name, slots } of hunks.flatMap(calledBy))
      for (const slot of slots)
        if (filesWith(slot) <= IN_FOLDER)
          for (const other of operations.get(slot) ?? []) tie(index, other, { name: `${slot}, as ${name}`, isStrong: false });
  return found;
}

/** Units of one folder that begin or cease to lock by the same: however many files have a lock of that name, these mean the same. */
function* lockingAlike(units: readonly Part[]): Generator<[number, number, string]> {
  const found = new Map<string, { unit: number; path: string }[]>();
  for (const { index, idle, hunks } of units)
    for (const { locks, path, idle: nothing } of idle ? [] : hunks)
      for (const name of nothing ? [] : locks) {
        const others = found.get(name) ?? [];
        for (const other of others) if (other.unit !== index && areNear(other.path, path)) yield [other.unit, index, name];
        found.set(name, [...others, { unit: index, path }]);
      }
}

/** What says whether a lock is taken, and what of its folder has to do with that lock: a caller that takes it no more may be right with those alone. */
function* decidingLocks(units: readonly Part[]): Generator<[number, number, string]> {
  for (const { index, idle, hunks } of units)
    for (const { decidesLocks, path, idle: nothing } of idle ? [] : hunks)
      for (const lock of nothing ? [] : decidesLocks)
        for (const other of units)
          if (
            other.index !== index &&
            !other.idle &&
            other.hunks.some((hunk) => !hunk.idle && areNear(hunk.path, path) && namesLock(hunk.mentions, lock))
          )
            yield [index, other.index, lock];
}

/** `ASSERT_RTNL`, `rtnl_dereference`, `find_dev_rtnl`: rtnl. */
function namesLock(mentions: ReadonlySet<string>, lock: string): boolean {
  return [...mentions].some((name) => `_${name}_`.toLowerCase().includes(`_${lock.toLowerCase()}_`));
}

/** Where a member is a number that was a pointer, who sets it may be anything else that changes in its file. */
function* readingOtherwise(units: readonly Part[]): Generator<[number, number, string]> {
  for (const { index, idle, hunks } of units)
    for (const { readsOtherwise, path } of idle ? [] : hunks)
      if (readsOtherwise && path.endsWith(".c"))
        for (const other of units)
          if (other.index !== index && !other.idle && other.hunks.some((hunk) => !hunk.idle && hunk.path === path))
            yield [index, other.index, path];
}

/** Where a check only goes, what is to be there in its place may be anything else that changes in its file. */
function* losingChecks(units: readonly Part[]): Generator<[number, number, string]> {
  for (const { index, idle, hunks } of units) {
    if (idle || !hunks.some(({ losesCheck }) => losesCheck)) continue;
    // A check that comes elsewhere in the unit stands in its place.
    if (hunks.some(({ now }) => now.some((line) => /\bif\s*\(|\?.*:/.test(line)))) continue;
    for (const { path } of hunks.filter(({ losesCheck, path }) => losesCheck && path.endsWith(".c")))
      for (const other of units)
        if (other.index !== index && !other.idle && other.hunks.some((hunk) => !hunk.idle && hunk.path === path))
          yield [index, other.index, path];
  }
}

/** Of each name, where it is, each file of a unit once for each role. */
function placesOf(units: readonly Part[]): Map<string, Place[]> {
  const found = new Map<string, Map<string, Place>>();
  const put = (unit: number, path: string, role: Role, names: Iterable<string>): void => {
    for (const name of names) {
      const places = found.get(name) ?? new Map<string, Place>();
      places.set(`${unit} ${role} ${path}`, { unit, path, role });
      found.set(name, places);
    }
  };
  for (const { index, idle, hunks } of units)
    for (const hunk of idle ? [] : hunks) {
      if (hunk.idle || onlyAccounts(hunk)) continue;
      put(index, hunk.path, "lines", hunk.uses);
      put(index, hunk.path, "lines", hunk.constants);
      put(index, hunk.path, "beside", hunk.beside);
      put(
        index,
        hunk.path,
        "inside",
        hunk.inside.map(({ name }) => name),
      );
      put(index, hunk.path, "calls", hunk.callsAround);
      put(index, hunk.path, "guards", hunk.guardsAround);
    }
  return new Map([...found].map(([name, places]) => [name, [...places.values()]]));
}

/** Whose memory is counted by whom: of each place that allocates it is right or wrong by itself. */
function onlyAccounts({ old, now }: NamedHunk): boolean {
  const [before, after] = [old, now].map((lines) => codeOf(lines, false).replace(/\bGFP_KERNEL_ACCOUNT\b/g, "GFP_KERNEL")) as [
    string,
    string,
  ];
  return sameTokens(before, after);
}

/** Of each member that is called, the units in whose functions. */
function operationsOf(units: readonly Part[]): Map<string, Set<number>> {
  const found = new Map<string, Set<number>>();
  for (const { index, idle, hunks } of units)
    for (const hunk of idle ? [] : hunks)
      for (const name of hunk.idle ? [] : hunk.operations) found.set(name, (found.get(name) ?? new Set()).add(index));
  return found;
}

/** Functions that changed lines are in, and the members that they may be called by: those that the file puts them into, or, of one that other files may, by its name. */
function calledBy({ inside, slots, idle }: NamedHunk): { name: string; slots: Iterable<string> }[] {
  if (idle) return [];
  return inside.flatMap(({ kind, name, isStatic }) =>
    kind === "function" ? [{ name, slots: new Set([...(slots.get(name) ?? []), ...(isStatic ? [] : slotsLike(name))]) }] : [],
  );
}

/** The ends of a function's name, two words at least. */
function slotsLike(name: string): string[] {
  const words = name.split("_");
  return words.slice(1, -1).map((_, at) => words.slice(at + 1).join("_"));
}
