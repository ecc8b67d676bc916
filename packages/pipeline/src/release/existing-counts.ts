/** Counts and references that objects which exist already do not have: each as words where a change relies on them. */
import { type Count, countsRead, countsSetTo, givesBack, isOfSame, takes } from "./counts.ts";
import { functionsOf, type NamedHunk } from "./pieces.ts";

/** A count begins otherwise, and others than who begins it change as well. */
export function countedFrom(hunks: readonly NamedHunk[], old: readonly string[], now: readonly string[]): string | undefined {
  for (const [at, hunk] of hunks.entries()) {
    const before = countsSetTo(old[at] ?? "");
    const own = new Set(functionsOf(hunk));
    const other = hunks.flatMap(functionsOf).find((name) => !own.has(name));
    for (const [count, value] of countsSetTo(now[at] ?? ""))
      if (other !== undefined && before.has(count) && before.get(count) !== value)
        return `${count} begins with ${value} in place of ${before.get(count)}, and ${other} changes with it`;
  }
  return undefined;
}

/** What one function now takes or counts, another gives back, or counts down: what is there already was never taken. */
export function givenBackElsewhere(hunks: readonly NamedHunk[], old: readonly string[], now: readonly string[]): string | undefined {
  const functions = hunks.map(functionsOf);
  const share = (one: readonly string[] = [], other: readonly string[] = []): boolean => one.some((name) => other.includes(name));
  // What moves within a function is not new in it.
  const only = (find: (code: string) => Count[], at: number): Count[] => {
    const own = old.filter((_, other) => share(functions[other], functions[at]));
    const before = new Set(own.flatMap((code) => find(code).map(({ text }) => text)));
    return find(now[at] ?? "").filter(({ text }) => !before.has(text));
  };
  const taken = hunks.map((_, at) => only(takes, at));
  for (const [at, giver] of hunks.entries())
    for (const give of only(givesBack, at)) {
      const isOf = (count: Count): boolean => isOfSame(count, give);
      if (taken[at]?.some(isOf) === true) continue;
      for (const [by, taker] of hunks.entries()) {
        const take = taken[by]?.find(isOf);
        const [gives = [], has = []] = [functions[at], functions[by]];
        if (take === undefined || gives.length === 0 || has.length === 0 || share(gives, has)) continue;
        // Of a caller and what it calls, the one gives back what the other has taken for it.
        if (has.some((name) => giver.callsByName.has(name)) || gives.some((name) => taker.callsByName.has(name))) continue;
        return `${gives[0]} now has ${give.text}, for the ${take.text} that ${has[0]} has now`;
      }
    }
  return undefined;
}

/** What was never counted down is, and is gone by: what the old code let drift stays where it is. */
export function driftedBefore(hunks: readonly NamedHunk[], old: readonly string[], now: readonly string[]): string | undefined {
  const known = new Set(old.flatMap((code) => givesBack(code).map(({ what }) => what)));
  for (const [at, hunk] of hunks.entries())
    for (const { what, text } of givesBack(now[at] ?? ""))
      for (const member of known.has(what) ? [] : countsRead(now.join(";")))
        if (what === `count ${member}` && !countsRead(old.join(";")).has(member))
          return `${member} is gone by, which ${functionsOf(hunk)[0] ?? hunk.path} did not count down before (${text})`;
  return undefined;
}

const COUNTED = /(?:->|\.)(\w+)\s*(?:\+\+|--|=\s*\w+\s*\+\s*\w+\s*;)/g;
const MASKED = /(?:->|\.)(\w+)\s*(?:\|=|&=\s*~|&(?![&=]))/g;

/** A count becomes a set of bits: what the old code has counted is no such set. */
export function maskedBefore(old: readonly string[], now: readonly string[]): string | undefined {
  const membersOf = (code: readonly string[], form: RegExp): Set<string> =>
    new Set(code.flatMap((one) => [...one.matchAll(form)].map(([, member = ""]) => member)));
  const [counted, maskedNow, maskedOnce] = [membersOf(old, COUNTED), membersOf(now, MASKED), membersOf(old, MASKED)];
  const member = [...maskedNow].find((one) => counted.has(one) && !maskedOnce.has(one) && !membersOf(now, COUNTED).has(one));
  return member === undefined ? undefined : `${member} becomes a set of bits, and was a count`;
}

const STEP = /^(\s*)((?:[\w\])]|->|\.|\[)*?(\w+))(\+\+|--);\s*$/;

/** What is counted up and down is both by a condition that is new: what the old code has counted is not counted back. */
export function countedByCondition(hunks: readonly NamedHunk[]): string | undefined {
  const under = new Map<string, Set<string>>();
  for (const { old, now } of hunks) {
    const known = new Set(old.map((line) => line.trim()));
    if (!now.some((line) => /^\s*(?:\}?\s*else\s+)?if\s*\(/.test(line) && !known.has(line.trim()))) continue;
    const before = new Map(old.flatMap((line) => stepOf(line)).map(({ text, depth }) => [text, depth]));
    for (const { text, depth, member, sign } of now.flatMap((line) => stepOf(line)))
      if (depth > (before.get(text) ?? depth)) under.set(member, (under.get(member) ?? new Set()).add(sign));
  }
  for (const [member, signs] of under) if (signs.size === 2) return `${member} is counted, up and down, by a condition that is new`;
  return undefined;
}

function stepOf(line: string): { text: string; depth: number; member: string; sign: string }[] {
  const [, blanks = "", what = "", member = "", sign = ""] = STEP.exec(line) ?? [];
  return member === "" ? [] : [{ text: `${what}${sign}`, depth: blanks.replaceAll("\t", "        ").length, member, sign }];
}
