/** Members that nobody has set in objects which exist already: each as words where a change relies on them. */
import { functionsOf, type NamedHunk } from "./pieces.ts";
import { setIn, testedIn } from "./uses.ts";

const SETS = /(?:->|(?<=[\w\])])\.)([A-Za-z_]\w*)\s*=(?!=)/g;
const MEMBERS = /(?:->|(?<=[\w\])])\.)([A-Za-z_]\w*)/g;
const EMPTYING = /^\s*(?:=|,)\s*(?:NULL|0|false)\s*[;)]/;
const ASKED = /(?<![!\w>.-])\w+(?:->|\.)(\w+)\s*&&/g;
const REFUSED = /\bif\s*\(\s*!\s*\w+(?:->|\.)(\w+)\s*\)\s*\{?\s*return\s+-E/g;

/** A member that the file did not know is read, and set where objects are made. */
export function setBy(hunks: readonly NamedHunk[], now: readonly string[]): string | undefined {
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

/** What one function now leaves empty that makes objects, another goes by: in what is there already it may be anything. */
export function emptiedBy(hunks: readonly NamedHunk[], now: readonly string[]): string | undefined {
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

/** A member that one function did not set and does, and another did not go by and does: what went through the old one has not got it. */
export function testedElsewhere(hunks: readonly NamedHunk[], old: readonly string[], now: readonly string[]): string | undefined {
  const functions = hunks.map(functionsOf);
  const inFunctions = (names: readonly string[]): string => codeOfFunctions(hunks, old, names);
  for (const [at, hunk] of hunks.entries()) {
    const own = functions[at] ?? [];
    for (const set of own.length === 0 ? [] : hunk.setsCome) {
      const [, member = ""] = set.split("->");
      if (EMPTYING.test(now[at]?.split(set)[1] ?? "") || membersSet(inFunctions(own)).has(member)) continue;
      const tester = hunks.findIndex(
        (other, i) =>
          other.path === hunk.path &&
          functions[i]?.length !== 0 &&
          !functions[i]?.some((name) => own.includes(name)) &&
          testedIn(now[i] ?? "").has(member) &&
          !testedIn(inFunctions(functions[i] ?? [])).has(member),
      );
      if (tester >= 0) return `${functions[tester]?.[0]} goes by ${member}, which ${own[0]} did not set before`;
    }
  }
  return undefined;
}

/** An empty member said that nothing is asked of it, and is now what is refused. */
export function emptyRefused(hunks: readonly NamedHunk[], old: readonly string[], now: readonly string[]): string | undefined {
  for (const [at, hunk] of hunks.entries()) {
    const own = functionsOf(hunk);
    const before = codeOfFunctions(hunks, old, own);
    const asked = new Set([...before.matchAll(ASKED)].map(([, member = ""]) => member));
    for (const [, member = ""] of (now[at] ?? "").matchAll(REFUSED))
      if (asked.has(member)) return `${own[0]} refuses what has no ${member}, which asked for nothing before`;
  }
  return undefined;
}

/** Changed lines of some functions. @param code of each hunk */
function codeOfFunctions(hunks: readonly NamedHunk[], code: readonly string[], names: readonly string[]): string {
  return code.filter((_, at) => functionsOf(hunks[at] as NamedHunk).some((name) => names.includes(name))).join(";");
}

function membersSet(code: string): Set<string> {
  return new Set([...setIn(code)].map((set) => set.split("->")[1] ?? ""));
}
