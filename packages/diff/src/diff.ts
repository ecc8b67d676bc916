/** Two builds of one object → what changed, and an object that holds it. Passes in a row. */
import type { TypeLayouts } from "@suture/arch";
import { type ElfObject, type ElfSymbol, STB } from "@suture/elf";
import type { SutureError } from "@suture/errors";
import { CALLBACKS } from "@suture/protocol";
import type { Callback } from "./callbacks.ts";
import { takeCallers } from "./callers.ts";
import { carry, type KeepEntry } from "./carry.ts";
import { findChanges } from "./changes.ts";
import { checkWrites } from "./check-home.ts";
import { correlate } from "./correlate.ts";
import { pairRenamed } from "./correlate-renamed.ts";
import { pairRenamedFunctions } from "./correlate-renamed-functions.ts";
import { type External, emit } from "./emit.ts";
import { fail } from "./errors.ts";
import { type EscapingPointer, handedBy } from "./escaping-pointers.ts";
import { checkExchanged } from "./exchanged.ts";
import { hasNoSites } from "./ftrace-sites.ts";
import { HOMES, homeOf } from "./homes.ts";
import { itemize } from "./itemize.ts";
import { type Item, sizeOf } from "./items.ts";
import { type AcceptInit, leftOut } from "./left-out.ts";
import { isLiteral } from "./literals.ts";
import { checkEmptyPlaces, checkLive, handedByData, type LiveRecord, liveTable, newCallsByPointer, recordsOf } from "./live.ts";
import type { AcceptData } from "./live-words.ts";
import { marksOf, sourceName } from "./marks.ts";
import { type Elsewhere, type KeyedEntry, type Named, Plan, type Reach } from "./plan.ts";
import type { AcceptRedirect } from "./probes.ts";
import { checkReached, checkRedirects, type RedirectRecord, recordsOfRedirects, redirectTable } from "./redirects.ts";
import { Referrers } from "./referrers.ts";
import { Refusals } from "./refusals.ts";
import type { Build } from "./sections.ts";
import type { Side } from "./side.ts";
import { pairSuccessors, reasonOf, recordsOfSuccessors, type SuccessorRecord } from "./successors.ts";
import { entriesOf } from "./tables.ts";
import { type ThreadFunction, threadFunctions } from "./threads.ts";

export interface ChangedFunction {
  /** Its name in the original, which is the kernel's. */
  name: string;
  why: string;
  /** Of one that is taken in for what it calls: the functions in between, from the one that differs on. */
  through: readonly string[];
  /** Bytes, before and after. */
  sizeBefore: number;
  size: number;
  original: ElfSymbol;
  /** Its symbol in `Delta.object`. */
  symbol: ElfSymbol;
}

export interface Added {
  name: string;
  kind: "function" | "variable";
  size: number;
}

/** What a patch of one object is made of. */
export interface Delta {
  /** "same": nothing differs. "idle": what differs needs nothing in a running kernel, see `skipped`. "patch": `object` holds it. */
  outcome: "same" | "idle" | "patch";
  /** Calls of these are redirected. */
  functions: ChangedFunction[];
  callbacks: Callback[];
  /** Changed functions without an ftrace entry: carried along with their callers. */
  carriedAlong: Named[];
  added: Added[];
  /** Carried functions and variables that did not change: what the kernel has is not the same for carried code, or cannot be reached. */
  recarried: string[];
  /** What has another name in the original. */
  renamed: { name: string; original: string }[];
  /** What differs but needs nothing at run time. */
  skipped: Named[];
  /** Functions that `force` asked for and that cannot be taken in. */
  notTaken: (Named & { code: string })[];
  /** What a person should know of the patch. */
  notes: string[];
  /** Those of `functions` that kernel threads are begun with. */
  threads: ThreadFunction[];
  /** What the patch's own code makes pointers to that may outlive it. Without `reach`, which says what is the kernel's, none is told. */
  handed: EscapingPointer[];
  /** Words of the kernel's variables that are changed where they stand. */
  live: LiveRecord[];
  /** The symbol of the table of these in `object`: packages/livepatch/c/live.c. */
  liveTable: string | undefined;
  /** Changed functions without an ftrace entry whose calls a probe of the kernel sends on. */
  redirects: RedirectRecord[];
  /** The symbol of the table of these in `object`: packages/livepatch/c/redirect.c. */
  redirectTable: string | undefined;
  /** Functions that nothing but these words leads to, replaced by those that the fix has there. */
  successors: SuccessorRecord[];
  /** By what names code that the old values of `live` lead to, and that nothing else does now, comes to other objects' functions or is one of them. */
  leans: readonly string[];
  /** Functions that begin to call by pointers, but for those that only the words of `live` lead to; none where no word may be changed. */
  newCallsByPointer: readonly string[];
  /** Static keys and static calls of the kernel that entries of the object's special sections refer to; `kept` as `keepEntry` said. */
  keys: (KeyedEntry & { kept: boolean })[];
  /** Variables of other objects that carried functions write, and that what they replace did not. */
  writes: { function: string; name: string }[];
  /** Undefined symbols of `object` that the running kernel has. */
  externals: External[];
  /** Symbols of the original that only the object itself could name, or by another name, and what other objects of the patch can name them now. */
  exposed: { name: string; symbol: ElfSymbol }[];
  /** Why the rest of a patch would miss what is left out here; of an object that carries something, that is refused at once. */
  missed: readonly SutureError[];
  /** The same for variables of other objects, by name: right to refuse if another object of the patch adds one of that name. */
  outward: ReadonlyMap<string, SutureError>;
  /** Undefined if nothing changed that runs. */
  object: ElfObject | undefined;
}

export interface DiffOptions {
  layouts: TypeLayouts;
  /** What decides which sections the kernel keeps. */
  build: Build;
  /** Take these functions in even if they are the same: a livepatch that replaces a function by itself. */
  force?: (name: string) => boolean;
  /** Functions that run only at boot, or when their module is loaded or goes, that may be left out whatever carried code needs of them. */
  acceptInit?: AcceptInit;
  /**
   * The objects may not have been through the tool that lists the calls that ftrace can redirect. Where there is no list yet,
   * functions that begin with the call count as having an ftrace entry.
   */
  unlisted?: boolean;
  /** Whether a key is in vmlinux, so that the entry that refers to it can be relocated in time. Without it, all are kept. */
  keepEntry?: KeepEntry;
  /** Where the running kernel has strings and the like. Without it, the new object has copies of them. */
  reach?: Reach;
  /**
   * Of which variables of the running kernel any value may be changed where it stands, since somebody knows that nothing went by it. Undefined: functions are replaced
   * by those of their name, and nothing else of the kernel is changed.
   */
  acceptData?: AcceptData | undefined;
  /** `acceptData` accepts nothing, for no object of the patch: what matters beside changed data only is not looked for. */
  acceptsNothing?: boolean | undefined;
  /** Which functions without an ftrace entry a probe of the kernel may redirect, where not all of their callers are known. */
  acceptRedirect?: AcceptRedirect | undefined;
  /** By the names in the patched object: what another object of the running kernel defines. */
  elsewhere?: ReadonlyMap<string, Elsewhere>;
}

/** @throws DIFF_* with what cannot be patched, where, and the way out */
export function diff(original: ElfObject, patched: ElfObject, options: DiffOptions): Delta {
  checkComparable(original, patched);
  const before = sideOf(original, options);
  const after = sideOf(patched, options);
  const { elsewhere = new Map() } = options;
  const marks = marksOf(before.itemized, after.itemized);
  const correlation = correlate(before.itemized, after.itemized, before.referrers, after.referrers);
  const isElsewhere = (name: string): boolean => elsewhere.has(name);
  pairRenamedFunctions(before, after, correlation, isElsewhere);
  const { acceptData } = options;
  const successors = acceptData === undefined ? [] : pairSuccessors(before, after, correlation, { isElsewhere, accept: acceptData, marks });
  const renamed = pairRenamed(before, after, correlation, isElsewhere);
  checkExchanged(before, after, correlation);
  const plan = new Plan(
    { original: before, patched: after, correlation, build: options.build, marks },
    options.reach ?? (() => undefined),
    elsewhere,
    { successors, acceptData, acceptRedirect: options.acceptRedirect },
  );
  noteRenamed(plan, renamed);
  const refusals = new Refusals();
  findChanges(plan, options.force ?? (() => false), refusals);
  takeCallers(plan, refusals);
  checkRedirects(plan, refusals);
  const leans = checkLive(plan, refusals);
  // What has to be carried is known only where nothing of it is refused.
  refusals.check();
  carry(plan, options.keepEntry ?? (() => true));
  checkReached(plan, refusals);
  const byPointer = options.acceptsNothing === true ? [] : newCallsByPointer(plan);
  checkEmptyPlaces(plan, byPointer, refusals);
  const writes = checkWrites(plan);
  const { missed, outward } = leftOut(plan, options.acceptInit ?? (() => false));
  if (plan.changed.size > 0 || marks.callbacks.size > 0 || plan.live.length > 0) for (const one of missed) refusals.add(one);
  refusals.check();
  noteMarks(plan);
  const { skipped, notTaken, notes, keys } = plan;
  const exposed = exposedBy(plan);
  const newNames = renamedBy(plan);
  if (plan.carried.size === 0 && plan.live.length === 0)
    return {
      outcome: skipped.length === 0 ? "same" : "idle",
      functions: [],
      callbacks: [],
      carriedAlong: [],
      added: [],
      recarried: [],
      renamed: newNames,
      skipped,
      notTaken,
      notes,
      threads: [],
      handed: [],
      live: [],
      liveTable: undefined,
      leans,
      redirects: [],
      redirectTable: undefined,
      successors: [],
      newCallsByPointer: byPointer,
      keys,
      writes,
      externals: [],
      exposed,
      missed,
      outward,
      object: undefined,
    };
  const { object, externals, symbols } = emit(plan);
  if (before.tracerCalls)
    notes.push(
      `there is no list of ftrace entries yet (${before.itemized.arch.ftrace.sites}): functions that begin with a call of ${before.itemized.arch.ftrace.callee} count as having one`,
    );
  return {
    outcome: "patch",
    ...changedOf(plan, symbols),
    callbacks: callbacksOf(plan, symbols),
    added: addedOf(plan),
    recarried: recarriedBy(plan),
    renamed: newNames,
    skipped,
    notTaken,
    notes,
    threads: threadFunctions(plan),
    handed: options.reach === undefined ? [] : [...handedBy(plan), ...handedByData(plan)],
    live: recordsOf(plan),
    liveTable: plan.live.length === 0 ? undefined : liveTable(plan),
    leans,
    redirects: recordsOfRedirects(plan, symbols),
    redirectTable: plan.redirects.size === 0 ? undefined : redirectTable(plan),
    successors: recordsOfSuccessors(plan.successors, plan.changed),
    newCallsByPointer: byPointer,
    keys,
    writes,
    externals,
    exposed,
    missed,
    outward,
    object,
  };
}

function sideOf(elf: ElfObject, { build, layouts, unlisted = false }: DiffOptions): Side {
  const whole = itemize(elf, build);
  return {
    itemized: whole,
    entries: entriesOf(whole, layouts),
    referrers: new Referrers(whole),
    tracerCalls: unlisted && hasNoSites(whole),
  };
}

function changedOf(plan: Plan, symbols: ReadonlyMap<Item, ElfSymbol>): Pick<Delta, "functions" | "carriedAlong"> {
  const functions: ChangedFunction[] = [];
  const carriedAlong: Named[] = [];
  for (const item of plan.in.patched.itemized.items) {
    const change = plan.changed.get(item);
    const symbol = symbols.get(item);
    if (change === undefined || symbol === undefined) continue;
    if (plan.redirects.has(item)) continue;
    const { through } = change;
    const why = `${reasonOf(plan.successors, item)}${change.why}`;
    const elsewhere = plan.elsewhere.get(item)?.symbol;
    if (elsewhere !== undefined)
      functions.push({ name: elsewhere.name, why, through, sizeBefore: elsewhere.size, size: symbol.size, original: elsewhere, symbol });
    for (const original of plan.originalsOf(item)) {
      const name = original.symbols[0];
      if (name === undefined) continue;
      if (plan.redirectable(item))
        functions.push({
          name: name.name,
          why,
          through,
          sizeBefore: sizeOf(original) - original.entry,
          size: symbol.size,
          original: name,
          symbol,
        });
      else carriedAlong.push({ name: name.name, why });
    }
  }
  return { functions, carriedAlong };
}

function callbacksOf(plan: Plan, symbols: ReadonlyMap<Item, ElfSymbol>): Callback[] {
  return CALLBACKS.flatMap((kind) => {
    const item = plan.in.marks.callbacks.get(kind);
    const symbol = item === undefined ? undefined : symbols.get(item);
    return item === undefined || symbol === undefined ? [] : [{ kind, name: item.name, symbol }];
  });
}

/** Variables whose name, scope or kind of memory changed, and that stay the kernel's. */
function noteRenamed({ in: { correlation }, notes }: Plan, renamed: readonly Item[]): void {
  for (const item of renamed) {
    const original = correlation.original(item);
    const [before, after] = original === undefined ? [] : [homeOf(original), homeOf(item)];
    if (original === undefined || before === undefined || after === undefined) continue;
    if (before !== after) notes.push(`${item.name} is ${HOMES[after]} in the fix; the running kernel's stays ${HOMES[before]}`);
    else notes.push(`${item.name} is the kernel's ${original.name}: every reference corresponds`);
  }
}

/** What a person should know of what the fix says. */
function noteMarks(plan: Plan): void {
  const { marks } = plan.in;
  const skipped = new Set(plan.skipped.map(({ name }) => sourceName(name)));
  for (const name of marks.ignoredFunctions) if (!skipped.has(name)) plan.notes.push(`KPATCH_IGNORE_FUNCTION(${name}): it does not differ`);
  const changed = new Set([...plan.changed.keys()].flatMap(({ symbols }) => symbols.map((symbol) => sourceName(symbol.name))));
  // The livepatch core has no way to switch its look at the stacks off for a function.
  for (const name of marks.unsafe)
    plan.notes.push(
      changed.has(name)
        ? `KPATCH_FORCE_UNSAFE(${name}): the kernel waits all the same until no task sleeps in ${name}; the author says that its old and new code may run together`
        : `KPATCH_FORCE_UNSAFE(${name}): it does not differ`,
    );
}

function addedOf(plan: Plan): Added[] {
  return plan.in.patched.itemized.items
    .filter(
      (item) =>
        plan.carried.has(item) &&
        plan.in.correlation.original(item) === undefined &&
        !plan.elsewhere.has(item) &&
        item.symbols.length > 0 &&
        !isLiteral(item),
    )
    .map((item) => ({ name: item.name, kind: item.kind === "function" ? "function" : "variable", size: sizeOf(item) }));
}

function recarriedBy(plan: Plan): string[] {
  const { correlation, patched } = plan.in;
  return patched.itemized.items
    .filter(
      (item) =>
        plan.carried.has(item) && !plan.changed.has(plan.wholeOf(item)) && !isLiteral(item) && correlation.original(item) !== undefined,
    )
    .map(({ name }) => name);
}

function renamedBy({ in: { correlation, patched } }: Plan): Delta["renamed"] {
  return patched.itemized.items.flatMap((item) => {
    const original = correlation.original(item);
    const isKnown = item.symbols.length > 0 && (item.kind === "function" || item.kind === "object") && !isLiteral(item);
    return original === undefined || original.name === item.name || !isKnown ? [] : [{ name: item.name, original: original.name }];
  });
}

/** Of what is carried in place of the kernel's, only functions whose calls are redirected can be reached by the kernel's symbol. */
function exposedBy(plan: Plan): Delta["exposed"] {
  const exposed: Delta["exposed"] = [];
  for (const item of plan.in.patched.itemized.items) {
    const original = plan.in.correlation.original(item);
    if (original === undefined || (plan.carried.has(item) && !(plan.changed.has(item) && plan.redirectable(item)))) continue;
    for (const { name, bind } of item.symbols) {
      const before = original.symbols.find((symbol) => symbol.name === name) ?? (item.kind === "object" ? original.symbols[0] : undefined);
      if (bind !== STB.LOCAL && before !== undefined && (before.bind === STB.LOCAL || before.name !== name))
        exposed.push({ name, symbol: before });
    }
  }
  return exposed;
}

function checkComparable(original: ElfObject, patched: ElfObject): void {
  for (const field of ["type", "machine", "flags", "osabi", "abiVersion"] as const)
    if (original[field] !== patched[field])
      throw fail("DIFF_NOT_COMPARABLE", `${field} is ${original[field]} in ${original.file}`, { file: patched.file });
  for (const elf of [original, patched])
    if (elf.segments.length > 0) throw fail("DIFF_NOT_COMPARABLE", "it has program headers: an image, not an object", { file: elf.file });
}
