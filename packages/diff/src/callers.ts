/**
 * A changed function that ftrace cannot redirect reaches the kernel through its callers, if all of them are known; otherwise, by somebody's word, through a
 * probe. After this pass every changed function is redirected, or called only by changed functions.
 */
import { type Item, isGlobal } from "./items.ts";
import type { Plan } from "./plan.ts";
import { takeRedirect } from "./redirects.ts";
import type { Refusals } from "./refusals.ts";

export function takeCallers(plan: Plan, refusals: Refusals): void {
  const callers = new Map<Item, Set<Item>>();
  const queue = [...plan.changed.keys()].filter((item) => !plan.redirectable(item));
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
    const called = item;
    if (callers.has(called) || plan.redirects.has(called)) continue;
    refusals.attempt(() => {
      callers.set(called, new Set());
      const found = callersOrProbe(plan, called);
      if (found === undefined) {
        callers.delete(called);
        return;
      }
      callers.set(called, found);
      for (const caller of found) {
        takeCaller(plan, called, caller);
        if (!plan.redirectable(caller)) queue.push(caller);
      }
    });
  }
  dropUncalled(plan, callers);
}

function takeCaller(plan: Plan, item: Item, caller: Item): void {
  if (plan.ignores(caller))
    throw plan.refuse("DIFF_NOT_PATCHABLE", `${item.name} has no ftrace entry, and ${caller.name}, which calls it, is to be ignored`, item);
  const { why, through } = plan.changed.get(item) ?? { why: "", through: [] };
  const path = [...through, item.name];
  const reason = through.length === 0 ? `differs (${why})` : `calls ${[...through].reverse().join(", which calls ")}, which differs`;
  plan.change(caller, { why: `calls ${item.name}, which has no ftrace entry and ${reason}`, forced: false, through: path });
}

/** Undefined where a probe is to be there. */
function callersOrProbe(plan: Plan, item: Item): Set<Item> | undefined {
  try {
    return callersOf(plan, item);
  } catch (error) {
    if (takeRedirect(plan, item)) return undefined;
    throw error;
  }
}

/** @throws DIFF_NOT_PATCHABLE where not all of them are known */
function callersOf(plan: Plan, item: Item): Set<Item> {
  const path = plan.changed.get(item)?.through ?? [];
  const leads = path.length === 0 ? "" : ` (${path.join(" ← ")} ← ${item.name})`;
  if (isGlobal(item))
    throw plan.refuse("DIFF_NOT_PATCHABLE", `${item.name}${leads} has no ftrace entry and is called from other objects`, item);
  const callers = new Set<Item>();
  for (const { by, ref } of plan.in.patched.referrers.all(item)) {
    const caller = plan.wholeOf(by);
    if (caller === item || by.role === "declared") continue;
    if (by.kind !== "function" || (!ref.branch && ref.target === item.entry))
      throw plan.refuse("DIFF_NOT_PATCHABLE", `${item.name}${leads} has no ftrace entry and ${by.name} keeps a pointer to it`, item);
    // A new caller is carried by those that call it, which differ for that.
    if (by.role === "text" && plan.in.correlation.original(caller) !== undefined) callers.add(caller);
  }
  return callers;
}

/** What only code of the boot phase calls needs nothing. */
function dropUncalled(plan: Plan, callers: ReadonlyMap<Item, ReadonlySet<Item>>): void {
  for (let dropped = true; dropped; ) {
    dropped = false;
    for (const [item, by] of callers) {
      if (!plan.changed.has(item) || [...by].some((caller) => plan.changed.has(caller))) continue;
      // Functions that were added since may call it.
      if (
        plan.in.patched.referrers
          .all(item)
          .some((use) => use.by.role === "text" && plan.in.correlation.original(plan.wholeOf(use.by)) === undefined)
      )
        continue;
      plan.changed.delete(item);
      plan.skipped.push({ name: item.name, why: "is called only at boot" });
      plan.leftOut.add(item);
      dropped = true;
    }
  }
}
