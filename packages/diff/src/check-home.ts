/** Variables that a fix puts into memory of another kind, and writes to memory that the running kernel has made read-only. */
import { accessOf, does } from "./accesses.ts";
import { HOMES, homeOf, isReadOnly } from "./homes.ts";
import { type Item, isGlobal, isItem } from "./items.ts";
import type { Plan } from "./plan.ts";
import { Refusals } from "./refusals.ts";

/** The running kernel's variable stays where it is. @throws DIFF_VARIABLE_HOME if code that runs needs it to be elsewhere */
export function checkHome(plan: Plan, original: Item, item: Item): void {
  const [before, after] = [homeOf(original), homeOf(item)];
  if (before === undefined || after === undefined || before === after) return;
  const { patched } = plan.in;
  const running = patched.referrers.of(item).filter(({ by }) => by.role === "text");
  const refuse = (by: Item, why: string): Error =>
    plan.refuse(
      "DIFF_VARIABLE_HOME",
      `${item.name} is ${HOMES[before]} in the running kernel (${original.section.name}) and ${HOMES[after]} in the fix (${item.section.name}); ${by.name} ${why}`,
      item,
    );
  if (isReadOnly(before) && !isReadOnly(after)) {
    const [use] = running.filter(({ by, ref }) => accessOf(by, ref) === "write");
    if (use !== undefined) throw refuse(use.by, "writes it");
    const [pointer] = running.filter(({ by, ref }) => accessOf(by, ref) === "pointer");
    if (pointer !== undefined) throw refuse(pointer.by, "makes a pointer to it");
  }
  // What others do with it is not seen from here, and somebody is to write it: why else the change?
  if (isReadOnly(before) && !isReadOnly(after) && isGlobal(item))
    throw plan.refuse(
      "DIFF_VARIABLE_HOME",
      `${item.name} is ${HOMES[before]} in the running kernel (${original.section.name}) and ${HOMES[after]} in the fix (${item.section.name}); other objects can write it by its name`,
      item,
    );
  const [first] = running;
  if (first !== undefined && (before === "boot" || before === "per-CPU" || after === "per-CPU")) throw refuse(first.by, "uses it");
  if (isReadOnly(before) && !isReadOnly(after) && running.length === 0)
    plan.skipped.push({ name: item.name, why: `is ${HOMES[after]} in the fix; the running kernel's stays ${HOMES[before]}` });
}

/**
 * @returns writes to variables of other objects, which may be read-only
 * @throws DIFF_READ_ONLY if carried code writes what is read-only, and the code that it replaces did not
 */
export function checkWrites(plan: Plan): { function: string; name: string }[] {
  const { correlation } = plan.in;
  const found = new Map<string, { function: string; name: string }>();
  const refusals = new Refusals();
  const check = (item: Item): void => {
    const before = correlation.original(item);
    const didBefore = (to: Item | string): boolean => before !== undefined && does("write", before, to);
    for (const ref of item.refs) {
      const { to } = ref;
      if (ref.branch || (isItem(to) && (to.kind === "function" || plan.recarried.has(to))) || accessOf(item, ref) !== "write") continue;
      if (!isItem(to)) {
        if (!didBefore(to.name)) found.set(`${item.name} ${to.name}`, { function: item.name, name: to.name });
        continue;
      }
      const original = correlation.original(to);
      const home = homeOf(original ?? to);
      if (home === undefined || !isReadOnly(home) || (original !== undefined && didBefore(original))) continue;
      const whose = original === undefined ? "is to be" : "is";
      throw plan.refuse(
        "DIFF_READ_ONLY",
        `${item.name} writes ${to.name}, which ${whose} ${HOMES[home]} (${to.section.name})`,
        item,
        ref.at,
      );
    }
  };
  for (const item of plan.carried) if (item.kind === "function") refusals.attempt(() => check(item));
  refusals.check();
  return [...found.values()];
}
