/** What lines of C take and give back, by the names that the kernel has for it, and what they count up and down. */

const TAKE = new Set(["get", "tryget", "hold", "grab", "take", "acquire", "ref", "inc", "pin"]);
const GIVE = new Set(["put", "drop", "release", "unref", "dec", "unpin", "rele"]);
/** How, not what. */
const MANNER = new Set([
  "try",
  "and",
  "test",
  "not",
  "zero",
  "unless",
  "if",
  "negative",
  "return",
  "relaxed",
  "safe",
  "sync",
  "many",
  "no",
]);
const CALL = /\b([A-Za-z]\w*)\s*\((?=([^;{}]*))/g;
/** Of these the name says only that it is a count, and the member which. */
const COUNT = /^(?:atomic|refcount|kref|percpu|local)/;
const LAST_MEMBER = /(?:->|\.)([A-Za-z_]\w*)\s*[,)]/;
const REFERENCES = /(\w+)\s*(?:->|\.)(?:ref|refs|refcnt|refcount|kref|usage|users)\s*[,)]/;
const COUNTED = /(?:->|\.)([A-Za-z_]\w*)(?:\[[^\]]*\])?\s*(\+\+|--|\+=|-=)|(\+\+|--)\s*[\w>.\-[\]]*(?:->|\.)([A-Za-z_]\w*)/g;
const READ = /\b(?:atomic\w*_read|refcount_read|kref_read)\s*\(([^;{}]*)/g;
const SET = /\b(?:atomic\w*_set|refcount_set)\s*\(\s*([^,;{}]+?)\s*,\s*(-?\w+)\s*\)/g;

export interface Count {
  /** What it is of: the same of what takes and what gives back. */
  what: string;
  /** As it is written, with what it is given. */
  text: string;
  /** Of a count of references, what they are to, as others may name it: atomic_inc(&event->refcount), and put_event(event). */
  of?: string;
}

export function isOfSame(one: Count, other: Count): boolean {
  return one.what === other.what || one.of === other.what || one.what === other.of;
}

function ofIn(given: string): { of?: string } {
  const [, of] = REFERENCES.exec(`${given},`) ?? [];
  return of === undefined ? {} : { of };
}

export function takes(code: string): Count[] {
  return found(code, TAKE, "+");
}

export function givesBack(code: string): Count[] {
  return found(code, GIVE, "-");
}

/** @returns by what is a count, what it is set to */
export function countsSetTo(code: string): Map<string, string> {
  return new Map([...code.matchAll(SET)].map(([, what = "", value = ""]) => [what.replace(/^&\s*/, ""), value]));
}

/** @returns counts whose values are looked at */
export function countsRead(code: string): Set<string> {
  return new Set([...code.matchAll(READ)].flatMap(([, given = ""]) => LAST_MEMBER.exec(given)?.[1] ?? []));
}

function found(code: string, verbs: ReadonlySet<string>, sign: "+" | "-"): Count[] {
  const all: Count[] = [];
  for (const [, name = "", given = ""] of code.matchAll(CALL)) {
    const words = name.split("_").filter((word) => word !== "");
    if (!words.some((word) => verbs.has(word))) continue;
    const stem = words.filter((word) => !verbs.has(word) && !MANNER.has(word)).join("_");
    const member = COUNT.test(name) ? LAST_MEMBER.exec(`${given},`)?.[1] : undefined;
    const text = `${name}(${given.split(/[,)]/, 1)[0]?.trim() ?? ""})`;
    if (member !== undefined) all.push({ what: `count ${member}`, text, ...ofIn(given) });
    else if (stem !== "") all.push({ what: stem, text });
  }
  for (const [text, after = "", sign1 = "", sign2 = "", before = ""] of code.matchAll(COUNTED))
    if ((after === "" ? sign2 : sign1).startsWith(sign)) all.push({ what: `count ${after === "" ? before : after}`, text });
  return all;
}
