/**
 * Variables of the running kernel that begin otherwise after the fix, and are changed where they stand: those of which somebody knows that nothing has
 * gone by the old value, that no copy of it counts, and that the words need not change in one moment with each other or with functions.
 */
import { createHash } from "node:crypto";
import { type ElfSymbol, STB } from "@suture/elf";
import { accessOf } from "./accesses.ts";
import type { Comparer } from "./compare.ts";
import { destinationOf } from "./destinations.ts";
import { describe, type EscapingPointer } from "./escaping-pointers.ts";
import { HOMES, homeOf, isReadOnly } from "./homes.ts";
import { bytesOf, type Item, isGlobal, isItem, type Ref, sizeOf } from "./items.ts";
import { isString, textOfString } from "./literals.ts";
import { fills, type LiveValue, type LiveVariable, type LiveWord, WORD, wordsOf } from "./live-words.ts";
import type { Plan } from "./plan.ts";
import type { Refusals } from "./refusals.ts";

/** A word for people, and for who reads the manifest. */
export interface LiveRecord {
  variable: string;
  /** Bytes from its start. */
  at: number;
  size: number;
  was: string;
  becomes: string;
  /** A function is to be where none was: code that relies on it must not run before. */
  fills: boolean;
  /** It points into the livepatch's module, which then stays in memory. */
  holds: boolean;
  /** The kernel has made the memory read-only. */
  readOnly: boolean;
  /** Of the state by which a later livepatch knows of it. */
  state: number;
}

/** @returns why it is not changed where it stands; otherwise the plan has it */
export function takeLive(plan: Plan, compare: Comparer, original: Item, item: Item): string | undefined {
  const accept = plan.acceptData;
  if (accept === undefined) return undefined;
  const found = judge(plan, compare, original, item);
  if (typeof found === "string") return found;
  if (!accept(original.name)) return found.words.map((word) => wordText(original, word)).join(", ");
  plan.live.push(found);
  plan.notes.push(...usesOf(plan, original));
  return undefined;
}

function judge(plan: Plan, compare: Comparer, original: Item, item: Item): LiveVariable | string {
  const [before, after] = [homeOf(original), homeOf(item)];
  if (before === undefined || before !== after || before === "per-CPU" || before === "boot")
    return `it is ${before === undefined ? original.section.name : HOMES[before]}, where nothing is changed`;
  if (item.role === "once" || item.kind !== "object" || original.symbols.length === 0) return "the kernel has no variable of that name";
  if (sizeOf(item) !== sizeOf(original)) return `the kernel has ${sizeOf(original)} bytes of it`;
  if (plan.in.marks.callbacks.size > 0) return "the fix has callbacks of its own, which are to set what is to be set";
  const words = wordsOf(compare, original, item);
  if (typeof words === "string") return words;
  if (words.length === 0) return "what differs in it cannot be told";
  if (isKey(plan, original)) return "code is rewritten by what it holds (a static key or call), which only the kernel does";
  return { item, original, words, readOnly: isReadOnly(before) };
}

/** STATIC_CALL_KEY_PREFIX of include/linux/static_call_types.h. What the types alone tell, the caller of the differ asks them. */
const CALL_KEY = /^__SCK__/;

function isKey(plan: Plan, item: Item): boolean {
  if (CALL_KEY.test(item.name)) return true;
  for (const entries of plan.in.original.entries.values()) if (entries.some(({ key }) => key?.to === item)) return true;
  return false;
}

const MOST_NAMES = 8;

/** What the object's own code does with a variable: what a person who says that nothing has gone by it may want to look at. */
function usesOf(plan: Plan, original: Item): string[] {
  const by = new Map<string, Set<string>>();
  for (const use of plan.in.original.referrers.all(original)) {
    const access = use.by.kind === "function" ? accessOf(use.by, use.ref) : "pointer";
    const how = access === "pointer" ? "its address is in" : access === "write" ? "it is written by" : "it is read by";
    const names = by.get(how) ?? new Set();
    by.set(how, names.add(use.by.role === "init" ? `${use.by.name} (which has run)` : use.by.name));
  }
  if (isGlobal(original)) by.set("other objects can name it", new Set());
  if (by.size === 0) return [];
  const uses = [...by].map(([how, names]) => {
    const shown = [...names].slice(0, MOST_NAMES).join(", ");
    return `${how}${shown === "" ? "" : ` ${shown}`}${names.size > MOST_NAMES ? ` and ${names.size - MOST_NAMES} more` : ""}`;
  });
  return [
    `${original.name} is changed where it stands, by somebody's word that nothing has gone by its old value and no copy of it counts: ${uses.join("; ")}`,
  ];
}

/**
 * After it is known which functions are replaced: the old function, and what it alone leads to, stays the kernel's for whoever is in it or comes to it (each
 * task until all run the new code, each copy of the pointer for good). It must come to nothing that is replaced, since that may take something else now.
 * @returns names of other objects' functions that it comes to, and those of its own by which others may replace it
 */
export function checkLive(plan: Plan, refusals: Refusals): string[] {
  const outside = new Set<string>();
  for (const { item, words } of plan.live) {
    const seen = new Set<Item>();
    const queue = words.flatMap(({ old }) => ("ref" in old ? [{ to: old.ref.to, held: old.ref.to.name }] : []));
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const { to, held } = next;
      if (!isItem(to)) {
        outside.add(to.name);
        continue;
      }
      if (seen.has(to)) continue;
      seen.add(to);
      const twin = plan.in.correlation.patched(to);
      if (twin !== undefined) {
        const how = to.name === held ? "is replaced too" : `leads to ${to.name}, which is replaced`;
        if (plan.changed.has(plan.wholeOf(twin)))
          refusals.add(
            refuse(plan, item, `it held ${held}, which ${how}: whoever is in it, or has a copy of it, would come to the new one`),
          );
        continue;
      }
      for (const symbol of to.symbols) if (symbol.bind !== STB.LOCAL) outside.add(symbol.name);
      for (const ref of plan.in.original.itemized.refsOf(to)) queue.push({ to: ref.to, held });
    }
  }
  return [...outside].sort();
}

/**
 * After it is known what is carried: a place that was empty is filled when every task runs the new code. Until then that code must not rely on it: none
 * of what can be reached without it calls by a pointer where the old did not. Of other objects of the patch their deltas tell.
 */
export function checkEmptyPlaces(plan: Plan, callers: readonly string[], refusals: Refusals): void {
  const first = plan.live.find(({ words }) => words.some(fills));
  if (first === undefined) return;
  for (const caller of callers)
    refusals.add(
      refuse(
        plan,
        first.item,
        `it was empty there, and ${caller}, which calls by a pointer where it did not, may rely on it before it is filled`,
      ),
    );
}

/** Carried functions that call by a pointer more often than those that they replace, but for those that only the changed words lead to. */
export function newCallsByPointer(plan: Plan): string[] {
  if (plan.acceptData === undefined) return [];
  const { patched, original, correlation } = plan.in;
  const reached = new Set<Item>();
  const parts = [...plan.parts].flatMap(([part, whole]) => (plan.changed.has(whole) ? [part] : []));
  // Other objects of the patch may call what is new and global.
  const shared = [...plan.carried].filter((item) => isGlobal(item) && correlation.original(item) === undefined);
  const queue = [...plan.changed.keys(), ...parts, ...plan.in.marks.callbacks.values(), ...shared];
  for (let item = queue.pop(); item !== undefined; item = queue.pop()) {
    if (reached.has(item) || !plan.carried.has(item)) continue;
    reached.add(item);
    for (const { to } of patched.itemized.refsOf(item)) if (isItem(to)) queue.push(to);
  }
  const more = (item: Item): boolean => {
    const twin = correlation.original(item);
    const before = twin === undefined ? 0 : byPointer(twin, original.itemized.refsOf(twin));
    return byPointer(item, patched.itemized.refsOf(item)) > before;
  };
  return [...reached].filter((item) => item.kind === "function" && more(item)).map(({ name }) => name);
}

function byPointer(item: Item, refs: readonly Ref[]): number {
  const names = new Map(refs.filter(({ branch }) => branch).map((ref) => [ref.at, ref.to.name]));
  return item.arch.code.callsByPointer(bytesOf(item), names);
}

function refuse(plan: Plan, item: Item, why: string): Error {
  return plan.refuse(isReadOnly(homeOf(item)) ? "DIFF_RODATA_CHANGED" : "DIFF_DATA_CHANGED", `${item.name} differs, and ${why}`, item);
}

/** Where the pointers lead that are to be there. */
export function refsOfLive(plan: Plan): { ref: Ref; item: Item }[] {
  return plan.live.flatMap(({ item, words }) => words.flatMap(({ now }) => ("ref" in now ? [{ ref: now.ref, item }] : [])));
}

/** The name by which the code that writes finds the words of an object. */
export function liveTable(plan: Plan): string {
  return `suture_live_${digest(plan.in.patched.itemized.elf.file).slice(0, 12)}`;
}

export function stateOf(plan: Plan, { original }: LiveVariable, { at }: LiveWord): number {
  // Not 0, and what a double holds.
  return Number.parseInt(digest(`${plan.in.patched.itemized.elf.file} ${original.name} ${at}`).slice(0, 12), 16) + 1;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

export function recordsOf(plan: Plan): LiveRecord[] {
  return plan.live.flatMap((variable) =>
    variable.words.map((word): LiveRecord => {
      const { original, item, readOnly } = variable;
      return {
        variable: original.name,
        at: word.at,
        size: word.size,
        was: textOf(word.old, word.size),
        becomes: textOf(word.now, word.size),
        fills: fills(word),
        holds: holds(plan, item, word),
        readOnly,
        state: stateOf(plan, variable, word),
      };
    }),
  );
}

/** What the kernel's data point to until it is put back, and some may be in for longer. */
export function handedByData(plan: Plan): EscapingPointer[] {
  return plan.live.flatMap(({ item, original, words }) =>
    words.flatMap((word): EscapingPointer[] => {
      if (!("ref" in word.now) || !holds(plan, item, word)) return [];
      const { to } = word.now.ref;
      return [{ function: original.name, ...(isItem(to) ? describe(to) : { kind: "variable", name: to.name }) }];
    }),
  );
}

export function holds(plan: Plan, item: Item, { now }: LiveWord): boolean {
  return "ref" in now && "carried" in destinationOf(plan, now.ref, item, false);
}

function wordText({ name }: Item, { at, size, old, now }: LiveWord): string {
  return `${name}${at === 0 ? "" : `+0x${at.toString(16)}`} was ${textOf(old, size)}, and is ${textOf(now, size)}`;
}

function textOf(value: LiveValue, size: number): string {
  if ("ref" in value) {
    const { to, addend } = value.ref;
    if (isItem(to) && isString(to)) return `"${textOfString(to)}"`;
    const distance = isItem(to) ? addend - to.entry : addend;
    return `${to.name}${distance === 0 ? "" : `+${distance}`}`;
  }
  return value.number === 0n && size === WORD ? "nothing" : `0x${value.number.toString(16)}`;
}

/** The symbols that the running kernel's variable, and what it pointed to, are found by. */
export function oldTarget(plan: Plan, { to }: Ref): Item | ElfSymbol {
  return isItem(to) ? to : (plan.definedElsewhere(to) ?? to);
}
