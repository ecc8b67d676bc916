/**
 * Pairs the items of the original with those of the patched object: the same function or variable, in two builds. From here on a patched
 * item without a twin is new, and an original one without a twin is gone.
 */

import { pairDescriptors, pairStaticLocals } from "./correlate-locals.ts";
import { Correlation, equalBytes, group } from "./correlation.ts";
import { type Item, type ItemizedObject, isGlobal } from "./items.ts";
import { isLiteral } from "./literals.ts";
import { coldParent, stem } from "./names.ts";
import type { Referrers } from "./referrers.ts";

export function correlate(original: ItemizedObject, patched: ItemizedObject, usersBefore: Referrers, usersAfter: Referrers): Correlation {
  const correlation = new Correlation();
  const functions = (itemized: ItemizedObject): Item[] => itemized.items.filter((i) => i.kind === "function");
  pairFunctions(functions(original), functions(patched), correlation);
  const objects = (itemized: ItemizedObject): Item[] =>
    itemized.items.filter((i) => (i.kind === "object" || i.kind === "anonymous") && !isLiteral(i));
  const before = objects(original);
  const after = objects(patched);
  pairByName(before.filter(isNamed), after.filter(isNamed), correlation);
  const anonymous = (i: Item): boolean => i.kind === "anonymous";
  pairUnique(before.filter(anonymous), after.filter(anonymous), correlation, (i) => i.name);
  const descriptor = (i: Item): boolean => i.role === "dyndbg";
  pairDescriptors(before.filter(descriptor), after.filter(descriptor), correlation);
  const local = (i: Item): boolean => i.symbols.length > 0 && !isNamed(i) && i.role !== "dyndbg";
  pairStaticLocals(before.filter(local), after.filter(local), correlation, usersBefore, usersAfter);
  return correlation;
}

/** A name without a number is the programmer's own, one to an object. */
function isNamed(item: Item): boolean {
  return item.symbols.length > 0 && stem(item.name) === item.name;
}

function pairFunctions(before: Item[], after: Item[], correlation: Correlation): void {
  // Split-off parts after the functions that they belong to.
  for (const cold of [false, true]) {
    const wanted = (i: Item): boolean => (coldParent(i.name) !== undefined) === cold;
    const originals = before.filter(wanted);
    const patched = after.filter(wanted);
    pairByName(originals.filter(isNamed), patched.filter(isNamed), correlation);
    pairClones(originals, patched, correlation);
  }
}

/** By any of their names: of a function with aliases one may come or go. */
function pairByName(before: Item[], after: Item[], correlation: Correlation): void {
  for (const scope of ["global", "any"] as const) {
    const originals = new Map<string, Item | undefined>();
    for (const item of before)
      for (const { name, bind } of item.symbols) {
        if (scope === "global" && bind === 0) continue;
        originals.set(name, originals.has(name) && originals.get(name) !== item ? undefined : item);
      }
    for (const item of after) {
      if (correlation.original(item) !== undefined || (scope === "global" && !isGlobal(item))) continue;
      for (const { name, bind } of item.symbols) {
        const twin = scope === "global" && bind === 0 ? undefined : originals.get(name);
        if (twin === undefined || twin.role !== item.role || correlation.patched(twin) !== undefined) continue;
        correlation.join(twin, item);
        break;
      }
    }
  }
}

/** Joins items whose key occurs exactly once on each side among those that are still single. */
function pairUnique(before: Item[], after: Item[], correlation: Correlation, key: (item: Item) => string): void {
  const originals = group(before, key);
  for (const [name, items] of group(after, key)) {
    const [twin, ...twins] = originals.get(name) ?? [];
    const [item, ...others] = items;
    if (twin !== undefined && item !== undefined && twins.length + others.length === 0 && twin.role === item.role)
      correlation.join(twin, item);
  }
}

/**
 * Clones that gcc made (.isra.N, .constprop.N, .part.N) may change their numbers. Which is joined with which decides only how many functions
 * seem changed, since whoever calls another one than before is changed too: the same code first, then the same name, then the same order.
 */
function pairClones(before: Item[], after: Item[], correlation: Correlation): void {
  const originals = group(
    before.filter((i) => correlation.patched(i) === undefined),
    (i) => stem(i.name),
  );
  const open = after.filter((i) => correlation.original(i) === undefined);
  for (const [name, clones] of group(open, (i) => stem(i.name))) {
    const twins = originals.get(name) ?? [];
    const rules: ((a: Item, b: Item) => boolean)[] = [
      (a, b) => a.name === b.name && equalBytes(a, b),
      equalBytes,
      (a, b) => a.name === b.name,
      () => twins.length === clones.length,
    ];
    for (const rule of rules)
      for (const clone of clones) {
        if (correlation.original(clone) !== undefined) continue;
        const twin = twins.find((i) => correlation.patched(i) === undefined && i.role === clone.role && rule(i, clone));
        if (twin !== undefined) correlation.join(twin, clone);
      }
  }
}
