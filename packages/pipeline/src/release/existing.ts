/**
 * Whether a change meets objects that exist already: made by the old code, they never get what only the new constructor gives them, and what the new
 * code frees, reads or waits for may not be there. Read from the text alone, it finds the plain forms; where it finds one, the change is in doubt.
 */
import type { SutureError } from "@suture/errors";
import { codeOf } from "../c/comments.ts";
import { fail } from "../errors.ts";
import { type Count, countsRead, countsSetTo, givesBack, takes } from "./counts.ts";
import type { NamedHunk } from "./pieces.ts";

const FREED = /\b\w*free\w*\s*\(\s*([^;{}]*?)\)\s*;/g;
const CONTAINER = /\bcontainer_of\s*\(\s*([^,;{}]+?)\s*,/g;
const SETS = /(?:->|(?<=[\w\])])\.)([A-Za-z_]\w*)\s*=(?!=)/g;
const MEMBERS = /(?:->|(?<=[\w\])])\.)([A-Za-z_]\w*)/g;
const STORED = /\*\s*\(\s*[\w ]+\*+\s*\)\s*\(([^;{}]*)/g;
const INITIALISES = /^(?:INIT_\w+|\w*_init|init_\w+|timer_setup)$/;
const BOOT = /\b__(?:mem|net_)?init\b/;

/** @returns undefined where nothing says so */
export function doubtOf(hunks: readonly NamedHunk[]): SutureError | undefined {
  const why = meetsExisting(hunks);
  return why === undefined ? undefined : fail("CATCHUP_EXISTING", `objects that exist already: ${why}`, { file: hunks[0]?.path });
}

/** In words. */
function meetsExisting(hunks: readonly NamedHunk[]): string | undefined {
  const changing = hunks.filter(({ idle, creates }) => !idle && !creates);
  const [old, now] = [changing.map(({ old }) => codeOf(old, false)), changing.map(({ now }) => codeOf(now, false))];
  return (
    headerBefore(old, now) ??
    storedElsewhere(old, now) ??
    initialisedElsewhere(changing) ??
    countedFrom(changing, old, now) ??
    givenBackElsewhere(changing, old, now) ??
    driftedBefore(changing, old, now) ??
    emptiedBy(changing, now) ??
    setBy(changing, now) ??
    madeAtBoot(changing)
  );
}

/** What was freed as it is, is now part of something that is to be around it. */
function headerBefore(old: readonly string[], now: readonly string[]): string | undefined {
  const freed = new Set(old.flatMap((code) => [...code.matchAll(FREED)].map(([, what = ""]) => what.trim())));
  for (const code of now)
    for (const [, what = ""] of code.matchAll(CONTAINER))
      if (freed.has(what)) return `${what}, which the old code allocates and frees by itself, is taken for a part of something`;
  return undefined;
}

/** A place in memory that is reckoned is reckoned otherwise. */
function storedElsewhere(old: readonly string[], now: readonly string[]): string | undefined {
  const places = (code: string): string[] => [...code.matchAll(STORED)].map(([, place = ""]) => place.replace(/\s+/g, ""));
  for (const [at, code] of old.entries()) {
    const [before, after] = [places(code), places(now[at] ?? "")];
    if (before.length > 0 && after.length > 0 && before.join(";") !== after.join(";"))
      return `what is stored at ${before[0]} is looked for elsewhere`;
  }
  return undefined;
}

/** The constructor does what another function did before. */
function initialisedElsewhere(hunks: readonly NamedHunk[]): string | undefined {
  for (const one of hunks)
    for (const name of one.gone.calls) {
      if (!INITIALISES.test(name)) continue;
      const own = new Set(functionsOf(one));
      const other = hunks.find((hunk) => hunk.come.calls.has(name) && functionsOf(hunk).some((by) => !own.has(by)));
      if (other !== undefined) return `${name}() moves from ${[...own][0] ?? one.path} to ${functionsOf(other)[0] ?? other.path}`;
    }
  return undefined;
}

/** A count begins otherwise, and others than who begins it change as well. */
function countedFrom(hunks: readonly NamedHunk[], old: readonly string[], now: readonly string[]): string | undefined {
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
function givenBackElsewhere(hunks: readonly NamedHunk[], old: readonly string[], now: readonly string[]): string | undefined {
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
    for (const { what, text } of only(givesBack, at)) {
      const isOf = (count: Count): boolean => count.what === what;
      if (taken[at]?.some(isOf) === true) continue;
      for (const [by, taker] of hunks.entries()) {
        const take = taken[by]?.find(isOf);
        const [gives = [], has = []] = [functions[at], functions[by]];
        if (take === undefined || gives.length === 0 || has.length === 0 || share(gives, has)) continue;
        // Of a caller and what it calls, the one gives back what the other has taken for it.
        if (has.some((name) => giver.callsByName.has(name)) || gives.some((name) => taker.callsByName.has(name))) continue;
        return `${gives[0]} now has ${text}, for the ${take.text} that ${has[0]} has now`;
      }
    }
  return undefined;
}

/** What was never counted down is, and is gone by: what the old code let drift stays where it is. */
function driftedBefore(hunks: readonly NamedHunk[], old: readonly string[], now: readonly string[]): string | undefined {
  const known = new Set(old.flatMap((code) => givesBack(code).map(({ what }) => what)));
  for (const [at, hunk] of hunks.entries())
    for (const { what, text } of givesBack(now[at] ?? ""))
      for (const member of known.has(what) ? [] : countsRead(now.join(";")))
        if (what === `count ${member}` && !countsRead(old.join(";")).has(member))
          return `${member} is gone by, which ${functionsOf(hunk)[0] ?? hunk.path} did not count down before (${text})`;
  return undefined;
}

/** What one function now leaves empty that makes objects, another goes by: in what is there already it may be anything. */
function emptiedBy(hunks: readonly NamedHunk[], now: readonly string[]): string | undefined {
  for (const hunk of hunks) {
    const own = functionsOf(hunk);
    for (const member of own.length === 0 ? [] : hunk.emptied) {
      const reads = new RegExp(`(?:->|\\.)${member}\\b(?!\\s*=[^=])`);
      const reader = hunks.find(
        (other, i) =>
          other.path === hunk.path &&
          reads.test(now[i] ?? "") &&
          functionsOf(other).length > 0 &&
          !functionsOf(other).some((name) => own.includes(name)),
      );
      if (reader !== undefined) return `${functionsOf(reader)[0]} goes by ${member}, which only ${own[0]} leaves empty`;
    }
  }
  return undefined;
}

function functionsOf({ inside }: NamedHunk): string[] {
  return inside.flatMap(({ kind, name }) => (kind === "function" ? [name] : []));
}

/** A member that the file did not know is read, and set where objects are made. */
function setBy(hunks: readonly NamedHunk[], now: readonly string[]): string | undefined {
  const set = new Map<string, Set<string>>();
  for (const [at, { inside, path }] of hunks.entries())
    for (const [, member = ""] of (now[at] ?? "").matchAll(SETS)) {
      const by = set.get(`${path} ${member}`) ?? new Set();
      for (const { kind, name } of inside) if (kind === "function") by.add(name);
      set.set(`${path} ${member}`, by);
    }
  for (const [at, { inside, path, knew }] of hunks.entries())
    for (const [, member = ""] of (now[at] ?? "").replace(SETS, " ").matchAll(MEMBERS)) {
      const by = set.get(`${path} ${member}`);
      if (by === undefined || knew.has(member)) continue;
      const reader = inside.find(({ kind, name }) => kind === "function" && !by.has(name));
      if (reader !== undefined) return `${reader.name} reads ${member}, which only ${[...by][0] ?? "new code"} sets`;
    }
  return undefined;
}

/** A variable that is new is set by code that has run. */
function madeAtBoot(hunks: readonly NamedHunk[]): string | undefined {
  for (const { inside } of hunks)
    for (const { kind, name, contract } of inside) {
      if (kind !== "variable" || !contract) continue;
      const sets = hunks.filter(({ now }) => new RegExp(`(?<![\\w.>])${name}\\s*=(?!=)`).test(codeOf(now, false)));
      const users = hunks.filter(
        ({ heads, mentions, inside: of }) => mentions.has(name) && !BOOT.test(heads) && of.some((one) => one.kind === "function"),
      );
      if (sets.length > 0 && users.length > 0 && sets.every(({ heads }) => BOOT.test(heads)))
        return `${name} is new, and set by code that runs once, when the kernel or the module begins`;
    }
  return undefined;
}
