/**
 * Takes in, recursively, what the changed functions need and the running kernel does not have. What it has is referred to there, never
 * copied. After this pass every reference of every carried item has a destination.
 */
import { SutureError } from "@suture/errors";
import { destinationOf } from "./destinations.ts";
import { type Item, isGlobal, isItem, type Ref } from "./items.ts";
import { isLiteral } from "./literals.ts";
import { refsOfLive } from "./live.ts";
import type { KeyedEntry, Plan } from "./plan.ts";
import { Refusals } from "./refusals.ts";
import { canReadAtRunTime, canReadConstant, constantRef } from "./run-time-keys.ts";
import { tracepointHome } from "./sections.ts";
import type { Entry, Replacement } from "./tables.ts";

/** Whether the entry can be relocated in time, which it can if the key is in vmlinux. */
export type KeepEntry = (entry: KeyedEntry) => boolean;

export function carry(plan: Plan, keep: KeepEntry): void {
  const before = new Set(plan.recarried);
  for (;;) {
    const culprits = attempt(plan, keep);
    if (culprits.size === 0) break;
    // What was only asked for is left out; the others are taken in without it.
    for (const [item, { message: why, code }] of culprits) {
      plan.changed.delete(item);
      plan.notTaken.push({ name: item.name, why, code });
    }
    plan.startOver(before);
  }
  checkFresh(plan);
  for (const [{ name }, entries] of plan.readingKeys)
    plan.notes.push(`${name} reads ${entries.length === 1 ? "a static key" : `${entries.length} static keys`} of a module when it runs`);
}

/** Empty when all is taken in; otherwise functions, taken in only because they were asked for, that cannot be. */
function attempt(plan: Plan, keep: KeepEntry): Map<Item, SutureError> {
  const refusals = new Refusals();
  const culprits = new Map<Item, SutureError>();
  /** Of each item the one that needs it first. */
  const needs = new Map<Item, Item | undefined>();
  const queue: Item[] = [];
  const need = (item: Item, by: Item | undefined): void => {
    if (needs.has(item)) return;
    needs.set(item, by);
    queue.push(item);
  };
  for (const item of plan.changed.keys()) need(item, undefined);
  for (const item of plan.in.marks.callbacks.values()) need(item, undefined);
  for (const { ref, item } of refsOfLive(plan)) refusals.attempt(() => needOf(plan, ref, item, false, (to) => need(to, undefined)));
  for (const [part, whole] of plan.parts) if (plan.changed.has(whole)) need(part, whole);
  for (const item of plan.in.patched.itemized.items) if (isNewGlobal(plan, item)) need(item, undefined);
  for (let item = queue.pop(); item !== undefined; item = queue.pop())
    try {
      checkCarriable(plan, item);
      plan.carried.add(item);
      for (const ref of plan.in.patched.itemized.refsOf(item)) needOf(plan, ref, item, false, need);
      checkKeptPlaces(plan, item);
      for (const entry of plan.in.patched.entries.get(item) ?? []) {
        if (entry.table.constant === true) {
          readConstant(plan, entry, need);
          continue;
        }
        if (entry.key !== undefined && !keeps(plan, entry, entry.key, keep)) {
          plan.dropped.add(entry);
          if (entry.table.section !== entry.owner.arch.tables.jumps) continue;
        }
        for (const ref of entry.refs) needOf(plan, ref, item, true, need);
        for (const ref of entry.replacement?.refs ?? []) needOf(plan, ref, item, true, need);
        if (entry.replacement !== undefined) checkReplacement(plan, item, entry.replacement);
      }
    } catch (error) {
      const asked = askedFor(plan, item, needs);
      if (!(error instanceof SutureError) || asked === undefined) refusals.add(error);
      else if (!culprits.has(asked)) culprits.set(asked, error);
    }
  refusals.check();
  return culprits;
}

function needOf(plan: Plan, ref: Ref, from: Item, inTable: boolean, need: (item: Item, by: Item) => void): void {
  const to = destinationOf(plan, ref, from, inTable);
  // A row comes with the code that it is about.
  if ("carried" in to && to.carried.kind !== "row") need(to.carried, from);
}

/** Other objects of the patch may use what is new here. */
function isNewGlobal(plan: Plan, item: Item): boolean {
  return (
    isGlobal(item) &&
    (item.role === "text" || item.role === "data" || item.role === "rodata" || item.role === "percpu") &&
    plan.in.correlation.original(item) === undefined &&
    !plan.elsewhere.has(item) &&
    !plan.parts.has(item)
  );
}

/** The function that was asked for, and for which alone `item` is needed as far as is known. */
function askedFor(plan: Plan, item: Item, needs: ReadonlyMap<Item, Item | undefined>): Item | undefined {
  for (let at: Item | undefined = item; at !== undefined; at = needs.get(at)) {
    const change = plan.changed.get(at);
    if (change !== undefined) return change.forced ? at : undefined;
  }
  return undefined;
}

function checkCarriable(plan: Plan, item: Item): void {
  if (item.role === "percpu" && plan.in.build.module && item.refs.length > 0)
    throw plan.refuse("DIFF_PER_CPU", `${item.name} is a new per-CPU variable, and does not begin with plain values`, item);
  if (item.role === "init" || item.role === "exit")
    throw plan.refuse("DIFF_INIT_REFERENCE", `${item.name} is new in ${item.section.name}, which a running kernel does not keep`, item);
  if (tracepointHome(item.section) !== undefined) return;
  if (item.role === "unload" || item.role === "declared" || item.role === "table" || item.role === "ignored" || item.role === "unknown")
    throw plan.refuse("DIFF_UNKNOWN_SECTION", `${item.name} would have to be carried out of ${item.section.name}`, item);
  if (item.kind === "anonymous" && !isLiteral(item))
    throw plan.refuse("DIFF_UNKNOWN_SECTION", `${item.section.name} has no symbol that names what is in it`, item);
}

/**
 * A static call without its entry stays a call of the trampoline, which the kernel keeps right. A branch without its entry would stay as the
 * compiler left it, whatever the key says: it must read the key when it runs.
 */
function keeps(plan: Plan, entry: Entry, key: Ref, keep: KeepEntry): boolean {
  const to = destinationOf(plan, key, entry.owner, true);
  if (!("kernel" in to)) return true;
  const symbol = isItem(to.kernel) ? to.kernel.symbols[0] : to.kernel;
  const name = symbol?.name ?? "";
  const original = isItem(to.kernel) ? symbol : undefined;
  const keyed = { table: entry.table.section, function: entry.owner.name, key: name, original };
  const kept = keep(keyed);
  plan.keys.push({ ...keyed, kept });
  if (kept) return true;
  if (entry.table.section !== entry.owner.arch.tables.jumps) return false;
  const { owner, at } = entry;
  if (!canReadAtRunTime(entry))
    throw plan.refuse(
      "DIFF_MODULE_KEY",
      `${owner.name} branches on the static key ${name}, which is not in vmlinux, in two bytes`,
      owner,
      at,
    );
  const list = plan.readingKeys.get(owner);
  if (list === undefined) plan.readingKeys.set(owner, [entry]);
  else list.push(entry);
  return false;
}

/** A constant that the kernel fills in at boot is read from its variable. */
function readConstant(plan: Plan, entry: Entry, need: (item: Item, by: Item) => void): void {
  const { owner, at, section } = entry;
  if (!canReadConstant(entry))
    throw plan.refuse(
      "DIFF_RUN_TIME_CONSTANT",
      `${owner.name} has a place that the kernel fills in at boot (${section.name}), and no room to read the variable instead`,
      owner,
      at,
    );
  const ref = constantRef(entry, (name) => plan.variable(name));
  needOf(plan, ref, owner, false, need);
  const list = plan.readingConstants.get(owner);
  if (list === undefined) plan.readingConstants.set(owner, [{ entry, ref }]);
  else list.push({ entry, ref });
}

/** Replacement code is written in place of other code as it is. */
function checkReplacement(plan: Plan, item: Item, { pool, from, size }: Replacement): void {
  const { entries } = plan.in.patched;
  const inside = entries.get(pool)?.find(({ table, at }) => table.constant === true && at >= from && at < from + size);
  if (inside !== undefined)
    throw plan.refuse("DIFF_RUN_TIME_CONSTANT", `${item.name} has an alternative that is filled in at boot (${inside.section.name})`, item);
}

/**
 * What the kernel knows of places inside of a function is of its own copy: a list in a section of no known kind, or a variable with addresses of labels
 * that live code could jump to.
 */
function checkKeptPlaces(plan: Plan, item: Item): void {
  if (item.kind !== "function") return;
  for (const { by, ref } of plan.in.patched.referrers.of(item))
    if (
      by.kind !== "function" &&
      (by.role === "unknown" || by.role === "data") &&
      ref.target !== item.entry &&
      plan.in.correlation.original(by) !== undefined
    )
      throw plan.refuse(
        "DIFF_UNKNOWN_SECTION",
        `${by.name} in ${by.section.name} points into ${item.name}, and what for is not known`,
        item,
        ref.target,
      );
}

/** A read-only object that is carried anew may be used by carried code only, or two halves of the kernel would read different ones. */
function checkFresh(plan: Plan): void {
  const refusals = new Refusals();
  for (const item of plan.recarried) refusals.attempt(() => checkUsers(plan, item));
  refusals.check();
}

function checkUsers(plan: Plan, item: Item): void {
  for (const { by } of plan.in.patched.referrers.of(item))
    if (
      by.role !== "init" &&
      by.role !== "exit" &&
      by.role !== "unload" &&
      by.role !== "declared" &&
      !plan.carried.has(by) &&
      !plan.recarried.has(by)
    )
      throw plan.refuse("DIFF_RODATA_CHANGED", `${item.name} must be carried, but ${by.name}, which is not patched, uses it too`, item);
}
