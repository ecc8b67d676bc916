/**
 * The hunks of a difference, each with what it changes by name; and the pieces that they make up. Two hunks belong together if they are in one
 * declaration, or one names what the other brings, takes away or changes, or one's function calls another's whose contract changed. A fix that goes in
 * by half is worse than one that is left out: in doubt they belong together.
 */
import { codeOf, linesInComment, sameTokens } from "../c/comments.ts";
import { type Declaration, declarationsIn, identifiersOf } from "../c/declarations.ts";
import { OwnTexts } from "../own-text.ts";
import { type Count, givesBack, takes } from "./counts.ts";
import type { LineHunk } from "./difference.ts";
import { areNear } from "./near.ts";
import {
  allOf,
  constantsIn,
  countedIn,
  emptiedIn,
  guardedIn,
  locksDecided,
  locksIn,
  operationsIn,
  readsAsNumber,
  setIn,
  sharedIn,
  type Uses,
  usesOf,
  without,
} from "./uses.ts";

/** A file of which this kernel is made, before and after. */
export interface FileTexts {
  path: string;
  before: string | undefined;
  after: string;
}

/** As far as it matters once it is known what belongs together. */
export interface ChangedHunk extends LineHunk {
  path: string;
  /** Of the whole difference, in its order. */
  index: number;
  /** What it is in, before and after: each by name and whether others can see it. */
  inside: readonly Touched[];
  /** Identifiers in its lines, and members that are given a function whose head it changes. */
  mentions: ReadonlySet<string>;
  /** It changes comments and blanks only. */
  idle: boolean;
  /** Identifiers of its whole file: at least those that some hunk is in. */
  words: ReadonlySet<string>;
}

export interface NamedHunk extends ChangedHunk {
  calls: ReadonlySet<string>;
  /** Members and called functions that its old lines name and its new ones do not, and the other way round. */
  gone: Uses;
  come: Uses;
  /** Members that its lines, old or new, give to what counts, locks, initialises, links, waits or wakes. */
  shared: ReadonlySet<string>;
  /** Those among them that are counts. */
  counted: ReadonlySet<string>;
  /** Members that its new lines set to nothing and its old ones do not, where memory is allocated that is not zeroed. */
  emptied: ReadonlySet<string>;
  /** Members that its old lines set and its new ones do not, and the other way round, each with what it is of. */
  setsGone: ReadonlySet<string>;
  setsCome: ReadonlySet<string>;
  /** What its new lines take, and give back, and its old ones do not (counts.ts). */
  takes: ReadonlySet<string>;
  givesBack: ReadonlySet<string>;
  /** Locks that its old lines have and its new ones have not, or the other way round, each with what it is of. */
  locks: ReadonlySet<string>;
  /** Words of the locks that its functions decide about: their caller takes them or not, as they say. */
  decidesLocks: ReadonlySet<string>;
  /** A member that was a pointer is read as a number, or the other way round. */
  readsOtherwise: boolean;
  /** It takes away a check that ends a function or leads elsewhere, and puts none in its place. */
  losesCheck: boolean;
  /** Of the macros that it is in: those of its file that they are made of, and themselves. */
  macroConstants: ReadonlySet<string>;
  /** Members and called functions of its lines, old and new. */
  uses: ReadonlySet<string>;
  /** Members on the lines around it, in the same functions: they stay, and what it changes may be what is made of them. */
  beside: ReadonlySet<string>;
  /** Enumerators and macros that are in its old lines or its new ones, and not in both. */
  constants: ReadonlySet<string>;
  /** Of the whole functions that it is in, and of the static ones that they call: called functions, and those that are handed on. */
  callsAround: ReadonlySet<string>;
  /** Those among them that are called there, by their names. */
  callsByName: ReadonlySet<string>;
  /** Of the same: members that are locked by or counted. */
  guardsAround: ReadonlySet<string>;
  /** Members that those call what they hold of. */
  operations: ReadonlySet<string>;
  /** Members that functions are put into, in its file, by function. */
  slots: ReadonlyMap<string, ReadonlySet<string>>;
  /** It brings the whole file. */
  creates: boolean;
  /** Members that its file named before. */
  knew: ReadonlySet<string>;
  /** Of the functions that it is in, all before their bodies. */
  heads: string;
}

export interface Touched {
  name: string;
  kind: "function" | "type" | "macro" | "variable" | "member" | "enumerator" | "other";
  /** Only the file itself can name it, or what includes it. */
  isStatic: boolean;
  /** Of a member or enumerator, its type. */
  of?: readonly string[];
  /** It was not there, or is gone, or (of a function) those who call it have to know. */
  contract: boolean;
  /** It was not there, or is gone, or is declared otherwise. */
  isOther: boolean;
  /** To a macro that stands where declarations do. */
  isGiven?: boolean;
  /** Of a macro only what it does is otherwise: other files need not know. */
  isBody?: boolean;
}

/** Whether a function is compiled into those that call it is no matter to them. */
function plainHead({ head }: Declaration): string {
  return head.replace(/\b(?:__always_inline|__inline(?:__)?|inline|noinline(?:_for_stack)?)\s+/g, "");
}

/** What a macro of statements does with its parameters is as a function's body: it has no value that those who use it go by. */
function isBodyOnly(one: Declaration, twin: Declaration | undefined, changed: string): boolean {
  const [was, is] = [twin, one].map((each) => MACRO.exec(each?.kind === "macro" ? each.head : ""));
  if (was === null || is === null || was?.[1] === undefined || was[1].replace(/\s/g, "") !== is?.[1]?.replace(/\s/g, "")) return false;
  return [was, is].every((each) => each?.[2]?.includes(";")) && !CONTRACT.test(changed);
}

const MACRO = /^\s*#\s*define\s+\w+(\([^)]*\))(.*)$/s;

/** What a header says of a variable that another file has is no variable. */
function kindOf({ kind, isStatic }: Declaration, twin: Declaration | undefined, path: string): Touched["kind"] {
  if (kind === "call" || kind === "include" || kind === "condition") return "other";
  return kind === "variable" && twin === undefined && !isStatic && !path.endsWith(".c") ? "other" : kind;
}

const ENUM = /^(?:typedef )?enum\b/;

const CHECK = /\bif\s*\([^;{}]*?\w\([^;{}]*\{?\s*(?:return\s+-E|goto\b)/;

/** In changed lines of a function, what those who call it have to know of. */
const CONTRACT =
  /\breturn\b|\b\w*(?:lock|unlock|_get|_put|_ref|unref|free|release|destroy|refcount|refcnt|atomic|kref|_hold|wait_|wake_)\w*\s*\(/;

export function namedHunks(file: FileTexts, hunks: readonly LineHunk[], from: number): NamedHunk[] {
  const [old, now] = [declarationsIn(file.before ?? ""), declarationsIn(file.after)];
  const oldNames = allNames(old);
  const newNames = allNames(now);
  const [oldLines, newLines] = [(file.before ?? "").split("\n"), file.after.split("\n")];
  const twins = new Map(now.flatMap((one) => one.names.map((name) => [`${one.kind} ${name}`, one] as const)));
  const olds = new Map(old.flatMap((one) => one.names.map((name) => [`${one.kind} ${name}`, one] as const)));
  const words = new Set([...identifiersOf(file.before ?? ""), ...identifiersOf(file.after)]);
  const slots = slotsOf(file);
  const decided = locksDecided(codeOf([file.after], false));
  const knew = usesOf(codeOf([file.before ?? ""], false)).members;
  const [oldComments, newComments] = [linesInComment(file.before ?? ""), linesInComment(file.after)];
  const [oldBodies, newBodies] = [new Bodies(old, oldLines), new Bodies(now, newLines)];
  return hunks.map((hunk, i) => {
    const changed = [...hunk.old, ...hunk.now].join("");
    const oldCode = codeOf(hunk.old, oldComments.has(hunk.oldStart));
    const newCode = codeOf(hunk.now, newComments.has(hunk.newStart));
    const [oldUses, newUses] = [usesOf(oldCode), usesOf(newCode)];
    // A comment that would begin or end elsewhere makes other code of what follows.
    const goesOnAlike = oldComments.has(hunk.oldStart + hunk.old.length) === newComments.has(hunk.newStart + hunk.now.length);
    const inOld = within(old, hunk.oldStart, hunk.old.length);
    const inNew = within(now, hunk.newStart, hunk.now.length);
    const inside: Touched[] = [];
    const calls = new Set<string>();
    const mentions = identifiersOf(changed);
    for (const [declared, others, lines, known] of [
      [inOld, twins, oldLines, newNames],
      [inNew, olds, newLines, oldNames],
    ] as const)
      for (const one of declared) {
        if (one.kind === "include" || one.kind === "condition") continue;
        const twin = one.names.map((name) => others.get(`${one.kind} ${name}`)).find((other) => other !== undefined);
        const isNew = !one.names.some((name) => known.has(name));
        const isOther = isNew || twin === undefined || plainHead(twin) !== plainHead(one);
        const contract = isOther || (one.kind === "function" && CONTRACT.test(changed));
        const kind = one.kind === "type" && twin !== undefined ? undefined : kindOf(one, twin, file.path);
        const more = { isStatic: one.isStatic, contract, isOther, isGiven: one.kind === "call", isBody: isBodyOnly(one, twin, changed) };
        if (kind !== undefined) for (const name of one.names) inside.push({ name, kind, ...more });
        const members = [...one.members].filter(([name, text]) => twin?.members.get(name) !== text);
        const part = ENUM.test(one.head) ? "enumerator" : "member";
        for (const [name] of members) inside.push({ name, kind: part, isStatic: false, contract: true, isOther: true, of: one.names });
        // Its attributes, or their order.
        if (kind === undefined && members.length === 0 && twin?.head !== one.head && !losesMembers(one, twin))
          for (const name of one.names) inside.push({ name, kind: "type", isStatic: false, contract: true, isOther: true });
        if (one.kind !== "function") continue;
        for (const name of identifiersOf(lines.slice(one.first, one.last + 1).join("\n"))) calls.add(name);
        // What the member is declared as has to become another type with it.
        if (twin?.head !== one.head) for (const name of one.names) for (const member of slots.get(name) ?? []) mentions.add(member);
      }
    const around = [...oldBodies.around(inOld), ...newBodies.around(inNew)];
    return {
      ...hunk,
      path: file.path,
      index: from + i,
      inside,
      mentions,
      calls,
      gone: without(oldUses, newUses),
      come: without(newUses, oldUses),
      shared: sharedIn(`${oldCode};${newCode}`),
      counted: countedIn(`${oldCode};${newCode}`),
      emptied: around.some(({ byName }) => allocates(byName)) ? less(emptiedIn(newCode), emptiedIn(oldCode)) : new Set(),
      setsGone: less(setIn(oldCode), setIn(newCode)),
      setsCome: less(setIn(newCode), setIn(oldCode)),
      takes: less(whatOf(takes(newCode)), whatOf(takes(oldCode))),
      givesBack: less(whatOf(givesBack(newCode)), whatOf(givesBack(oldCode))),
      locks: inOne(locksIn(oldCode), locksIn(newCode)),
      decidesLocks: new Set(inside.flatMap(({ kind, name }) => (kind === "function" ? [...(decided.get(name) ?? [])] : []))),
      readsOtherwise: readsAsNumber(oldCode, newCode) !== undefined || readsAsNumber(newCode, oldCode) !== undefined,
      losesCheck: CHECK.test(oldCode) && !/\b(?:if|return|goto)\b/.test(newCode),
      macroConstants: new Set(
        [...inOld.map((one) => [one, oldLines] as const), ...inNew.map((one) => [one, newLines] as const)].flatMap(([one, lines]) =>
          one.kind === "macro"
            ? [...constantsIn(lines.slice(one.first, one.last + 1).join("\n"))].filter((name) => newNames.has(name))
            : [],
        ),
      ),
      uses: new Set([...allOf(oldUses), ...allOf(newUses)]),
      beside: membersBeside(inOld, oldLines, hunk),
      constants: inOne(constantsIn(oldCode), constantsIn(newCode)),
      callsAround: new Set(around.flatMap(({ calls }) => [...calls])),
      callsByName: new Set(around.flatMap(({ byName }) => [...byName])),
      guardsAround: new Set(around.flatMap(({ guards }) => [...guards])),
      operations: new Set(around.flatMap(({ operations }) => [...operations])),
      slots,
      creates: file.before === undefined,
      knew,
      heads: [...inOld, ...inNew].flatMap(({ kind, head }) => (kind === "function" ? [head] : [])).join(";"),
      idle: goesOnAlike && sameTokens(oldCode, newCode),
      words,
    };
  });
}

/** Lines of a difference that are shown around a change. */
const AROUND = 3;

function membersBeside(declared: readonly Declaration[], lines: readonly string[], { oldStart, old }: LineHunk): Set<string> {
  const members = new Set<string>();
  for (const { kind, first, last } of declared) {
    if (kind !== "function") continue;
    const [from, to] = [Math.max(first + 1, oldStart - AROUND), Math.min(last, oldStart + old.length + AROUND)];
    const around = [...lines.slice(from, oldStart), ...lines.slice(oldStart + old.length, to)].map((line) => `${line}\n`);
    for (const name of usesOf(codeOf(around, false)).members) members.add(name);
  }
  return members;
}

function allocates(calls: ReadonlySet<string>): boolean {
  return [...calls].some((name) => /alloc/.test(name) && !/zalloc|calloc|dealloc/.test(name));
}

function whatOf(counts: readonly Count[]): Set<string> {
  return new Set(counts.map(({ what }) => what));
}

function less(a: ReadonlySet<string>, b: ReadonlySet<string>): Set<string> {
  return new Set([...a].filter((name) => !b.has(name)));
}

function inOne(a: ReadonlySet<string>, b: ReadonlySet<string>): Set<string> {
  return new Set([...less(a, b), ...less(b, a)]);
}

interface Body {
  /** With those that it hands on: they are called, too. */
  calls: ReadonlySet<string>;
  byName: ReadonlySet<string>;
  guards: ReadonlySet<string>;
  operations: ReadonlySet<string>;
}

/** What functions of a file use, each read once. */
class Bodies {
  readonly #static: ReadonlyMap<string, Declaration>;
  readonly #lines: readonly string[];
  readonly #read = new Map<Declaration, Body>();

  constructor(declared: readonly Declaration[], lines: readonly string[]) {
    this.#lines = lines;
    this.#static = new Map(
      declared.flatMap((one) => (one.kind === "function" && one.isStatic ? one.names.map((name) => [name, one] as const) : [])),
    );
  }

  /** Of the functions among some declarations, and the static ones that they name. */
  around(declared: readonly Declaration[]): Body[] {
    const found = new Set<Body>();
    for (const one of declared)
      if (one.kind === "function") {
        const body = this.#of(one);
        found.add(body);
        for (const name of body.calls) {
          const called = this.#static.get(name);
          if (called !== undefined) found.add(this.#of(called));
        }
      }
    return [...found];
  }

  #of(one: Declaration): Body {
    let body = this.#read.get(one);
    if (body === undefined) {
      const lines = this.#lines.slice(one.first, one.last + 1).map((line) => `${line}\n`);
      const code = codeOf(lines, false);
      const handed = [...identifiersOf(code)].filter((name) => this.#static.has(name));
      // Its own head looks like a call of it.
      const byName = new Set([...usesOf(code).calls].filter((name) => !one.names.includes(name)));
      body = { calls: new Set([...usesOf(code).calls, ...handed]), byName, guards: guardedIn(code), operations: operationsIn(code) };
      this.#read.set(one, body);
    }
    return body;
  }
}

const SLOT = /(?:\.|->)(\w+)\s*=\s*&?(\w+)\s*[,;}\n]/g;
const SET_UP =
  /\b(?:init_task_work|__?INIT_\w*WORK\w*|INIT_\w*WORK\w*|timer_setup\w*|init_irq_work|tasklet_setup|kthread_init_\w*work)\s*\(\s*[^,;{}]*?(?:\.|->)(\w+)\s*,\s*(\w+)/g;

/** Members that functions of a file are put into, or are set up with to be called later, by function. */
function slotsOf({ before = "", after }: FileTexts): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  const text = `${before}\n${after}`;
  for (const [, member = "", name = ""] of [...text.matchAll(SLOT), ...text.matchAll(SET_UP)])
    found.set(name, (found.get(name) ?? new Set()).add(member));
  return found;
}

export function functionsOf({ inside }: Pick<ChangedHunk, "inside">): string[] {
  return inside.flatMap(({ kind, name }) => (kind === "function" ? [name] : []));
}

/** What a C file does not declare for others. */
export const OWN: ReadonlySet<Touched["kind"]> = new Set(["member", "enumerator", "macro", "type"]);

function losesMembers(one: Declaration, twin: Declaration | undefined): boolean {
  return [...(twin?.members ?? [])].some(([name, text]) => one.members.get(name) !== text);
}

function allNames(declared: readonly Declaration[]): Set<string> {
  return new Set(declared.flatMap(({ names, kind }) => (kind === "other" || kind === "call" ? [] : names)));
}

/** Declarations that have one of the lines; of no lines, the one that the place is in the middle of. */
function within(declared: readonly Declaration[], start: number, count: number): Declaration[] {
  if (count === 0) return declared.filter(({ first, last }) => first < start && start <= last);
  return declared.filter(({ first, last }) => first < start + count && last >= start);
}

const CONDITION = /^\s*#\s*(if|endif|el)/;
const INCLUDE = /^\s*#\s*include\s*[<"](?:[^>"]*\/)?([^>"/]+)[>"]/;

/**
 * Hunks that belong together by what they do, in one file: one stops using what another stops using too, or begins to (a count that two members
 * hold, a call that moves); one leaves a member empty that another's lines name, or ceases to set what another sets; macros of one constant; conditions
 * that begin in one and end in another. In one folder: what shares a member's state. And a new header, with those who include it.
 * What many files name says nothing.
 */
function* byWhatTheyDo(hunks: readonly NamedHunk[]): Generator<[number, number]> {
  const isRare = rareIn(hunks);
  const isNotCommon = notCommonIn(hunks);
  const gone = new Map<string, number[]>();
  const shared = new Map<string, number[]>();
  const counted = new Map<string, number[]>();
  const open = new Map<string, number>();
  const created = new Map<string, number[]>();
  for (const [at, hunk] of hunks.entries()) {
    const { path, idle, old, now, creates } = hunk;
    for (const key of idle ? [] : keysOf(hunk.gone, path, isRare)) put(gone, key, at);
    for (const name of idle ? [] : hunk.shared) if (isNotCommon(name)) put(shared, name, at);
    for (const name of idle ? [] : hunk.counted) put(counted, `${path} ${name}`, at);
    if (!isBalanced(old) || !isBalanced(now)) {
      const other = open.get(path);
      if (other === undefined) open.set(path, at);
      else yield [other, at];
    }
    if (creates) put(created, path.slice(path.lastIndexOf("/") + 1), at);
  }
  for (const [key, all] of gone) if (key.startsWith("member ")) for (const at of all.slice(1)) yield [all[0] as number, at];
  yield* sharingOneFile(
    hunks,
    (hunk) => hunk.setsGone,
    (hunk) => hunk.setsCome,
  );
  yield* sharingOneFile(
    hunks,
    (hunk) => hunk.macroConstants,
    (hunk) => hunk.macroConstants,
  );
  for (const [at, hunk] of hunks.entries())
    for (const name of hunk.idle ? [] : hunk.emptied)
      if (isRare(name))
        for (const [other, { path, idle, uses }] of hunks.entries()) if (!idle && path === hunk.path && uses.has(name)) yield [other, at];
  for (const all of counted.values()) for (const at of all.slice(1)) yield [all[0] as number, at];
  for (const [name, all] of shared)
    for (const [i, at] of all.entries())
      for (const other of all.slice(0, i))
        if (hunks[at]?.path === hunks[other]?.path || (isRare(name) && areNear(hunks[at]?.path ?? "", hunks[other]?.path ?? "")))
          yield [other, at];
  for (const [at, { path, come, now, idle }] of hunks.entries()) {
    if (idle) continue;
    for (const key of keysOf(come, path, isRare)) for (const other of gone.get(key) ?? []) yield [at, other];
    for (const line of now) for (const other of created.get(INCLUDE.exec(line)?.[1] ?? "") ?? []) yield [at, other];
  }
}

/** Hunks of one file, of which one takes something and another gives it back, where nothing that belongs to that one takes it. */
function* takenAndGivenBack(hunks: readonly NamedHunk[], union: Union): Generator<[number, number]> {
  const taking = new Set<string>();
  const takers = new Map<string, number[]>();
  for (const [at, { path, idle, takes }] of hunks.entries())
    for (const what of idle ? [] : takes) {
      taking.add(`${union.find(at)} ${what}`);
      put(takers, `${path} ${what}`, at);
    }
  for (const [at, { path, idle, givesBack }] of hunks.entries())
    for (const what of idle ? [] : givesBack)
      if (!taking.has(`${union.find(at)} ${what}`)) for (const other of takers.get(`${path} ${what}`) ?? []) yield [other, at];
}

/** An enumerator and its word in a list for macros: `SKB_DROP_REASON_TC_CHAIN` and `FN(TC_CHAIN)`, of which tables are made. */
function* enumeratorsInLists(hunks: readonly NamedHunk[]): Generator<[number, number]> {
  const listed = new Map<string, number[]>();
  for (const [at, { path, idle, old, now }] of hunks.entries())
    for (const [, word] of idle ? [] : [...old, ...now].join("").matchAll(/\b\w+\s*\(\s*([A-Z][A-Z0-9_]*)\s*[,)]/g))
      put(listed, `${path} ${word}`, at);
  for (const [at, { path, idle, inside }] of hunks.entries())
    for (const { kind, name } of idle ? [] : inside) {
      if (kind !== "enumerator") continue;
      const words = name.split("_");
      for (const from of words.keys())
        if (from > 0) for (const other of listed.get(`${path} ${words.slice(from).join("_")}`) ?? []) if (other !== at) yield [other, at];
    }
}

/** Hunks of one file, of which one has a name among some, another among others. */
function* sharingOneFile(
  hunks: readonly NamedHunk[],
  some: (hunk: NamedHunk) => ReadonlySet<string>,
  others: (hunk: NamedHunk) => ReadonlySet<string>,
): Generator<[number, number]> {
  const found = new Map<string, number[]>();
  for (const [at, hunk] of hunks.entries()) for (const name of hunk.idle ? [] : some(hunk)) put(found, `${hunk.path} ${name}`, at);
  for (const [at, hunk] of hunks.entries())
    for (const name of hunk.idle ? [] : others(hunk))
      for (const other of found.get(`${hunk.path} ${name}`) ?? []) if (other !== at) yield [other, at];
}

function keysOf({ members, calls }: Uses, path: string, isRare: (name: string) => boolean): string[] {
  const keys = (kind: string, names: ReadonlySet<string>): string[] => [...names].filter(isRare).map((name) => `${kind} ${path} ${name}`);
  return [...keys("member", members), ...keys("call", calls)];
}

function put(into: Map<string, number[]>, key: string, at: number): void {
  const known = into.get(key);
  if (known === undefined) into.set(key, [at]);
  else known.push(at);
}

/** What so few files name is rare in any difference; in a large one a hundredth of its files, and in one file a twentieth. */
const FEW = 8;

type Asked = (name: string) => boolean;

function rareIn(hunks: readonly NamedHunk[]): Asked {
  return inAtMost(hunks, 1 / 100);
}

function notCommonIn(hunks: readonly NamedHunk[]): Asked {
  return inAtMost(hunks, 1 / 20);
}

/** Whether so few of the changed files have a word. */
function inAtMost(hunks: readonly NamedHunk[], share: number): Asked {
  const counts = new Map<string, number>();
  const files = new Set(hunks.map(({ path }) => path)).size;
  for (const words of new Map(hunks.map(({ path, words }) => [path, words])).values())
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return (name) => (counts.get(name) ?? 0) <= Math.max(FEW, files * share);
}

/** As many conditions begin as end, and what is otherwise is of one that begins in them. */
function isBalanced(lines: readonly string[]): boolean {
  let depth = 0;
  for (const line of lines) {
    const word = CONDITION.exec(line)?.[1];
    if (word === "endif") depth--;
    else if (word === "if") depth++;
    if (depth < 0 || (word === "el" && depth === 0)) return false;
  }
  return depth === 0;
}

/** Sets of what belongs together. */
export class Union {
  readonly #parents: number[] = [];

  constructor(size: number) {
    for (let i = 0; i < size; i++) this.#parents.push(i);
  }

  find(one: number): number {
    let at = one;
    for (let up = this.#parents[at] as number; up !== at; up = this.#parents[at] as number) {
      this.#parents[at] = this.#parents[up] as number;
      at = up;
    }
    return at;
  }

  /** The smaller number stands for both: the outcome is the same whatever the order. */
  join(a: number, b: number): void {
    const [x, y] = [this.find(a), this.find(b)];
    if (x !== y) this.#parents[Math.max(x, y)] = Math.min(x, y);
  }
}

/**
 * @param sees whether one file can see what another declares, as a header or by inclusion
 * @returns hunks that belong together, each group and all groups by their first hunk
 */
export function piecesOf(hunks: readonly NamedHunk[], sees: (reader: string, declarer: string) => boolean): NamedHunk[][] {
  const union = new Union(hunks.length);
  const byName = new Map<string, { hunk: NamedHunk; touched: Touched; at: number }[]>();
  for (const [at, hunk] of hunks.entries())
    for (const touched of hunk.inside) {
      const list = byName.get(touched.name);
      if (list === undefined) byName.set(touched.name, [{ hunk, touched, at }]);
      else list.push({ hunk, touched, at });
    }
  const isNotCommon = notCommonIn(hunks);
  const together = (reader: NamedHunk, one: { hunk: NamedHunk; touched: Touched }): boolean => {
    if (reader.path === one.hunk.path) return true;
    // What half of the kernel calls is changed for its own sake, where all can go on to call it as they did.
    if (one.touched.kind === "function" && !one.touched.isOther && !isNotCommon(one.touched.name)) return false;
    // Many types have members of one name: who never names the type, or what it is called by, does not mean this one.
    if (
      one.touched.kind === "member" &&
      !(one.touched.of ?? []).some((name) => reader.words.has(name)) &&
      (one.touched.of ?? []).length > 0
    )
      return false;
    const isHeader = !one.hunk.path.endsWith(".c");
    // What is given to a macro of a C file may be a number, a word, or a member: few of them are names of the kernel's, and those are of several words.
    if (!isHeader && one.touched.isGiven && !one.touched.name.includes("_")) return false;
    // What a C file keeps to itself, or a member of its own type, another does not mean by that name.
    if (!isHeader && (one.touched.isStatic || OWN.has(one.touched.kind))) return sees(reader.path, one.hunk.path);
    return isHeader ? sees(reader.path, one.hunk.path) : true;
  };
  for (const [at, hunk] of hunks.entries()) {
    if (hunk.idle) continue;
    for (const { name } of hunk.inside)
      for (const one of byName.get(name) ?? []) if (one.at !== at && !one.hunk.idle && together(hunk, one)) union.join(at, one.at);
    for (const name of hunk.mentions)
      for (const one of byName.get(name) ?? []) if (one.at !== at && !one.hunk.idle && together(hunk, one)) union.join(at, one.at);
    for (const name of hunk.calls)
      for (const one of byName.get(name) ?? [])
        if (one.at !== at && !one.hunk.idle && one.touched.contract && one.touched.kind !== "other" && together(hunk, one))
          if (one.touched.isBody !== true || hunk.path === one.hunk.path) union.join(at, one.at);
  }
  for (const [a, b] of enumeratorsInLists(hunks)) union.join(a, b);
  for (const [a, b] of byWhatTheyDo(hunks)) union.join(a, b);
  for (const [a, b] of [...takenAndGivenBack(hunks, union)]) union.join(a, b);
  const groups = new Map<number, NamedHunk[]>();
  for (const [at, hunk] of hunks.entries()) groups.set(union.find(at), [...(groups.get(union.find(at)) ?? []), hunk]);
  return [...groups.entries()].sort(([a], [b]) => a - b).map(([, group]) => group);
}

/**
 * All pieces without what a release's thousands of hunks would hold of their files' texts: a word that is cut out of a text holds all of it. Of the words
 * of files, those stay that a hunk is in.
 */
export function changedHunks(pieces: readonly (readonly NamedHunk[])[]): ChangedHunk[][] {
  const words = new OwnTexts();
  const own = (word: string): string => words.of(word);
  const touched = new Set(pieces.flatMap((hunks) => hunks.flatMap(({ inside }) => inside.flatMap(({ name, of = [] }) => [name, ...of]))));
  const ofFiles = new Map<ReadonlySet<string>, ReadonlySet<string>>();
  const kept = (all: ReadonlySet<string>): ReadonlySet<string> => {
    const found = ofFiles.get(all) ?? new Set([...all].filter((word) => touched.has(word)).map(own));
    ofFiles.set(all, found);
    return found;
  };
  return pieces.map((hunks) =>
    hunks.map(({ oldStart, old, newStart, now, path, index, inside, mentions, idle, words: all }) => ({
      ...{ oldStart, old: old.map(own), newStart, now: now.map(own), path, index, idle },
      inside: inside.map(({ name, of, ...rest }) => ({ ...rest, name: own(name), ...(of === undefined ? {} : { of: of.map(own) }) })),
      mentions: new Set([...mentions].map(own)),
      words: kept(all),
    })),
  );
}
