/**
 * Whether a change meets objects that exist already: made by the old code, they never get what only the new constructor gives them, and what the new
 * code frees, reads or waits for may not be there. Read from the text alone, it finds the plain forms; where it finds one, the change is in doubt.
 */
import type { SutureError } from "@suture/errors";
import { codeOf } from "../c/comments.ts";
import { fail } from "../errors.ts";
import { countedByCondition, countedFrom, driftedBefore, givenBackElsewhere, maskedBefore } from "./existing-counts.ts";
import { emptiedBy, emptyRefused, setBy, testedElsewhere } from "./existing-members.ts";
import { reckonedFrom, settledBefore, wokenNoMore } from "./existing-running.ts";
import { functionsOf, type NamedHunk } from "./pieces.ts";
import { readsAsNumber } from "./uses.ts";

const FREED = /\b\w*free\w*\s*\(\s*([^;{}]*?)\)\s*;/g;
const CONTAINER = /\bcontainer_of\s*\(\s*([^,;{}]+?)\s*,/g;
const STORED = /\*\s*\(\s*[\w ]+\*+\s*\)\s*\(([^;{}]*)/g;
const INITIALISES = /^(?:INIT_\w+|\w*_init|init_\w+|timer_setup)$/;
/** With what is given back alone. */
const GIVEN_BACK = /\b((?!release_sock\b)(?:\w*_)?(?:k|kv|v|kz)?(?:free|destroy|release|unref|put)(?:_\w+)?)\s*\(\s*&?([^;{}(),]+)\)\s*;/g;
const FREES_ANYTHING =
  /^(?:devm_)?(?:k|kv|v|kz)free(?:_\w+)?$|^free_(?:percpu|pages?)$|^(?:module_put|dev_put|sock_put|fput|put_device|put_page)$/;
const BOOT = /\b__(?:mem|net_)?init\b/;

/** @returns undefined where nothing says so */
export function doubtOf(hunks: readonly NamedHunk[]): SutureError | undefined {
  const why = meetsExisting(hunks);
  return why === undefined ? undefined : fail("CATCHUP_EXISTING", `objects that exist already: ${why}`, { file: hunks[0]?.path });
}

/** Of two units that may be halves: what one begins to take, and the other to give back. @returns undefined where nothing says so */
export function doubtOfBoth(one: readonly NamedHunk[], other: readonly NamedHunk[]): SutureError | undefined {
  const changing = [...one, ...other].filter(({ idle, creates }) => !idle && !creates);
  const [old, now] = [changing.map(({ old }) => codeOf(old, false)), changing.map(({ now }) => codeOf(now, false))];
  const why = givenBackElsewhere(changing, old, now);
  return why === undefined ? undefined : fail("CATCHUP_EXISTING", `objects that exist already: ${why}`, { file: one[0]?.path });
}

/** In words. */
function meetsExisting(hunks: readonly NamedHunk[]): string | undefined {
  const changing = hunks.filter(({ idle, creates }) => !idle && !creates);
  const [old, now] = [changing.map(({ old }) => codeOf(old, false)), changing.map(({ now }) => codeOf(now, false))];
  return (
    headerBefore(old, now) ??
    storedElsewhere(old, now) ??
    initialisedElsewhere(changing) ??
    freedElsewhere(changing, old, now) ??
    countedFrom(changing, old, now) ??
    givenBackElsewhere(changing, old, now) ??
    driftedBefore(changing, old, now) ??
    maskedBefore(old, now) ??
    countedByCondition(changing) ??
    readOtherwise(old, now) ??
    emptiedBy(changing, now) ??
    testedElsewhere(changing, old, now) ??
    emptyRefused(changing, old, now) ??
    setBy(changing, now) ??
    wokenNoMore(old, now) ??
    reckonedFrom(old, now) ??
    settledBefore(old, now) ??
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

/** What the old code has set is no pointer, or no number. */
function readOtherwise(old: readonly string[], now: readonly string[]): string | undefined {
  for (const [at, code] of old.entries()) {
    const member = readsAsNumber(code, now[at] ?? "") ?? readsAsNumber(now[at] ?? "", code);
    if (member !== undefined) return `${member} is read as a number where it was a pointer, or the other way round`;
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

/** What an object holds is given back by another function than before: of one that went through the old code it is given back twice, or never. */
function freedElsewhere(hunks: readonly NamedHunk[], old: readonly string[], now: readonly string[]): string | undefined {
  const functions = new Map<
    string,
    { name: string; path: string; calls: Set<string>; before: Map<string, string>; after: Map<string, string> }
  >();
  for (const [at, hunk] of hunks.entries())
    for (const name of functionsOf(hunk)) {
      const known = functions.get(`${hunk.path} ${name}`) ?? {
        name,
        path: hunk.path,
        calls: new Set(),
        before: new Map(),
        after: new Map(),
      };
      // Not what is handed on: it may be called later.
      for (const called of hunk.callsByName) known.calls.add(called);
      for (const [key, text] of givenBackIn(old[at] ?? "")) known.before.set(key, text);
      for (const [key, text] of givenBackIn(now[at] ?? "")) known.after.set(key, text);
      functions.set(`${hunk.path} ${name}`, known);
    }
  // A function and one that it calls are one.
  for (const one of functions.values())
    for (const [key, text] of one.before)
      for (const other of one.after.has(key) ? [] : functions.values())
        if (
          other.path === one.path &&
          other.after.has(key) &&
          !other.before.has(key) &&
          !one.calls.has(other.name) &&
          !other.calls.has(one.name)
        )
          return `${text} moves from ${one.name} to ${other.name}`;
  return undefined;
}

/** What gives back what an object holds: by its name and the member that it is given, or the name alone where that says what it gives back. */
function givenBackIn(code: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [text, name = "", given = ""] of code.matchAll(GIVEN_BACK)) {
    const member = /(?:->|\.)(\w+)\s*$/.exec(given)?.[1];
    if (member !== undefined || !FREES_ANYTHING.test(name)) found.set(`${name} ${member ?? ""}`, text.replace(/\s*;$/, ""));
  }
  return found;
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
