/**
 * Changed functions that ftrace cannot redirect and whose callers cannot all be taken in: by somebody's word a probe of the kernel sends each call on. What
 * is compiled with them may know more of them than what they take and return (which registers they leave alone, what memory they touch), and is not
 * moved over with them in one moment: where that could count they are refused.
 */
import { createHash } from "node:crypto";
import { type ElfSymbol, STB } from "@suture/elf";
import { hasFtraceSite } from "./ftrace-sites.ts";
import { bytesOf, type Item, isItem, sizeOf } from "./items.ts";
import type { Plan } from "./plan.ts";
import { isBlacklist, mayProbe } from "./probes.ts";
import type { Refusals } from "./refusals.ts";

/** For people, and for who reads the manifest. */
export interface RedirectRecord {
  /** The kernel's name. */
  function: string;
  why: string;
  /** Bytes, before and after. */
  sizeBefore: number;
  size: number;
  /** Other objects can call it by its name. */
  global: boolean;
  /** By which a later livepatch knows of it. */
  state: number;
}

/** @returns whether it is to be redirected so: then the plan has it. @throws DIFF_REDIRECT */
export function takeRedirect(plan: Plan, item: Item): boolean {
  const originals = plan.originalsOf(item);
  const [original, other] = originals;
  const [symbol] = original?.symbols ?? [];
  if (original === undefined || symbol === undefined || plan.acceptRedirect?.(symbol.name) !== true) return false;
  const refuse = (why: string): Error => plan.refuse("DIFF_REDIRECT", `${symbol.name} ${why}`, item);
  if (other !== undefined) throw refuse(`and ${other.name} became one piece of code`);
  if (plan.ignores(item)) throw refuse("is to be ignored");
  if (original.symbols.length > 1)
    throw refuse(`is one piece of code with ${original.symbols.map(({ name }) => name).join(", ")} in the kernel`);
  if (!mayProbe(original.section)) throw refuse(`is in ${original.section.name}, where the kernel allows no probes`);
  if (plan.in.original.referrers.of(original).some(({ by }) => isBlacklist(by.section)))
    throw refuse("is on the kernel's list of functions that must not be probed (NOKPROBE_SYMBOL)");
  if (branchesToEntry(original))
    throw refuse("has a jump or call to its own first instruction, which would come to the new one as if another had called it");
  plan.redirects.add(item);
  return true;
}

/** Bytes behind the symbol: a probe stands behind the landing pad, if there is one. */
function startsOf({ arch }: Item): ReadonlySet<number> {
  return new Set([0, arch.code.landingPad.length]);
}

function branchesToEntry(item: Item): boolean {
  const { code } = item.arch;
  const bytes = bytesOf(item).subarray(item.entry);
  const instructions = code.decode(bytes);
  const starts = startsOf(item);
  const fields = new Set(item.refs.map(({ at }) => at - item.entry));
  // What a relocation fills in is judged by that.
  return (
    instructions === undefined ||
    instructions.some(({ branch }) => branch !== undefined && !fields.has(branch.field) && starts.has(branch.target))
  );
}

/** After it is known which functions differ: old code that is not what the fix compiles to must not come to a new function by more than its prototype. */
export function checkRedirects(plan: Plan, refusals: Refusals): void {
  const { original, correlation } = plan.in;
  for (const item of plan.redirects)
    for (const old of plan.originalsOf(item))
      for (const { by, ref } of original.referrers.all(old)) {
        // A seldom run part goes back into the middle.
        if (by.kind !== "function" || by.role !== "text" || !ref.branch || !startsOf(old).has(ref.target - old.entry)) continue;
        const twin = correlation.patched(by);
        const caller = twin === undefined ? undefined : plan.wholeOf(twin);
        // The kernel is not in an old one of these when the probes are armed, and what is compiled to be traced knows no more than prototypes.
        if (hasFtraceSite(original, caller === undefined ? by : correlation.original(caller))) continue;
        const change = caller === undefined ? undefined : plan.changed.get(caller);
        if (caller !== undefined && (change === undefined || change.through.length > 0) && caller !== item) continue;
        const how =
          caller === item
            ? "it calls itself"
            : `${by.name} calls it, which ${twin === undefined ? "is gone from the fix" : "differs as well"}`;
        refusals.add(
          plan.refuse(
            "DIFF_REDIRECT",
            `${old.name} has no ftrace entry, and ${how}: whoever is in the old one would come to the new ${old.name}, of which the compiler may have told it otherwise`,
            item,
          ),
        );
      }
}

/** After it is known what is carried: new code must not rely on a redirected function by way of one that stays the kernel's, for which it is still the old one at times. */
export function checkReached(plan: Plan, refusals: Refusals): void {
  if (plan.redirects.size === 0) return;
  const { patched } = plan.in;
  const seen = new Set<Item>();
  const called = (item: Item): Item[] =>
    patched.itemized.refsOf(item).flatMap(({ to, branch }) => (branch && isItem(to) && to.kind === "function" ? [to] : []));
  const queue = [...plan.carried]
    .flatMap((item) => (item.kind === "function" ? called(item) : []))
    .filter((item) => !plan.carried.has(item));
  for (let item = queue.pop(); item !== undefined; item = queue.pop()) {
    if (seen.has(item)) continue;
    seen.add(item);
    for (const to of called(item)) {
      const whole = plan.wholeOf(to);
      if (plan.redirects.has(whole))
        refusals.add(
          plan.refuse(
            "DIFF_REDIRECT",
            `${whole.name} has no ftrace entry, and new code calls ${item.name}, which stays the kernel's and calls it: at times that comes to the old one`,
            whole,
          ),
        );
      else if (!plan.carried.has(to)) queue.push(to);
    }
  }
}

export function redirectState(plan: Plan, name: string): number {
  // Not 0, and what a double holds.
  return Number.parseInt(digest(`redirect ${plan.in.patched.itemized.elf.file} ${name}`).slice(0, 12), 16) + 1;
}

/** The name by which the code that registers probes finds the functions of an object. */
export function redirectTable(plan: Plan): string {
  return `suture_redirect_${digest(plan.in.patched.itemized.elf.file).slice(0, 12)}`;
}

/** In the order of the table. */
export function redirected(plan: Plan): { item: Item; original: Item }[] {
  return [...plan.redirects].flatMap((item) => {
    const [original] = plan.originalsOf(item);
    return original === undefined || !plan.changed.has(item) ? [] : [{ item, original }];
  });
}

export function recordsOfRedirects(plan: Plan, symbols: ReadonlyMap<Item, ElfSymbol>): RedirectRecord[] {
  return redirected(plan).map(({ item, original }) => ({
    function: original.name,
    why: plan.changed.get(item)?.why ?? "",
    sizeBefore: sizeOf(original) - original.entry,
    size: symbols.get(item)?.size ?? 0,
    global: original.symbols.some(({ bind }) => bind !== STB.LOCAL),
    state: redirectState(plan, original.name),
  }));
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
