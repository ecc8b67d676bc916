/**
 * Pairs static locals and descriptors of pr_debug. Their names carry numbers that move between builds, so that a name alone could give one
 * variable's live state to another.
 */

import { type Correlation, group } from "./correlation.ts";
import { fail } from "./errors.ts";
import { bytesOf, type Item, isItem, sizeOf } from "./items.ts";
import { isLiteral } from "./literals.ts";
import { coldParent, isBookkeeping, stem } from "./names.ts";
import type { Referrers } from "./referrers.ts";
import { Refusals } from "./refusals.ts";

/** The function, the format and the line that they hold say which is which; without the line, if that moved. */
export function pairDescriptors(before: Item[], after: Item[], correlation: Correlation): void {
  for (const key of [contentsKey, referencesKey]) {
    const originals = group(
      before.filter((i) => correlation.patched(i) === undefined),
      key,
    );
    const open = after.filter((i) => correlation.original(i) === undefined);
    for (const [name, items] of group(open, key)) {
      const twins = originals.get(name);
      if (twins?.length === items.length) joinInOrder(twins, items, correlation);
    }
  }
}

/** Bytes, and of each reference what it says or the name that it goes to. */
function contentsKey(item: Item): string {
  return `${Buffer.from(bytesOf(item)).toString("latin1")}${referencesKey(item)}`;
}

function referencesKey(item: Item): string {
  const refs = item.refs.map((ref) => {
    if (!isItem(ref.to)) return ref.to.name;
    return isLiteral(ref.to) ? Buffer.from(bytesOf(ref.to)).toString("latin1") : stem(ref.to.name);
  });
  return JSON.stringify(refs);
}

function joinInOrder(originals: readonly Item[], patched: readonly Item[], correlation: Correlation): void {
  patched.forEach((item, i) => {
    const twin = originals[i];
    if (twin !== undefined) correlation.join(twin, item);
  });
}

/** By name: the functions that use a variable, and where each does first. */
type UsedBy = ReadonlyMap<string, number>;

/** A user without a twin speaks through those that use it: inlining moves code between functions. */
export function usedBy(item: Item, referrers: Referrers, isPaired: (item: Item) => boolean): UsedBy {
  const found = new Map<string, number>();
  const seen = new Set<Item>([item]);
  const queue = [item];
  for (let next = queue.pop(); next !== undefined; next = queue.pop())
    for (const { by, order } of referrers.of(next)) {
      const name = stem(coldParent(by.name) ?? by.name);
      if ((found.get(name) ?? Number.POSITIVE_INFINITY) > order) found.set(name, order);
      if (!isPaired(by) && !seen.has(by)) {
        seen.add(by);
        queue.push(by);
      }
    }
  return found;
}

/**
 * Through the functions that use them, by size and name without the number. What stays single on both sides could be one variable's live
 * state given to another: refused, unless it is bookkeeping or cannot be written.
 */
export function pairStaticLocals(
  before: Item[],
  after: Item[],
  correlation: Correlation,
  usersBefore: Referrers,
  usersAfter: Referrers,
): void {
  const refusals = new Refusals();
  const originals = group(before, (i) => stem(i.name));
  for (const [name, items] of group(after, (i) => stem(i.name))) {
    const twins = originals.get(name) ?? [];
    const referrers = new Map<Item, UsedBy>();
    for (const item of items)
      referrers.set(
        item,
        usedBy(item, usersAfter, (i) => correlation.original(i) !== undefined),
      );
    for (const twin of twins)
      referrers.set(
        twin,
        usedBy(twin, usersBefore, (i) => correlation.patched(i) !== undefined),
      );
    pairWithinUsers(twins, items, referrers, correlation);
    const lost = twins.filter((i) => correlation.patched(i) === undefined && i.role !== "rodata");
    const [rival] = lost;
    if (rival === undefined) continue;
    for (const item of items) {
      if (correlation.original(item) !== undefined || isBookkeeping(item.name) || item.role === "rodata") continue;
      const nearest = lost.find((i) => haveCommon(referrers.get(i), referrers.get(item))) ?? rival;
      refusals.add(
        fail("DIFF_STATIC_LOCAL", `${item.name} of the patched object could be ${nearest.name} of the original, or a new variable`, {
          symbol: item.name,
          section: item.section.name,
        }),
      );
    }
  }
  refusals.check();
}

function haveCommon(a: UsedBy | undefined, b: UsedBy | undefined): boolean {
  return a !== undefined && b !== undefined && [...a.keys()].some((name) => b.has(name));
}

function pairWithinUsers(before: Item[], after: Item[], referrers: ReadonlyMap<Item, UsedBy>, correlation: Correlation): void {
  const key = (item: Item): string =>
    `${item.role} ${sizeOf(item)} ${item.symbols[0]?.type} ${[...(referrers.get(item)?.keys() ?? [])].sort().join(" ")}`;
  const first = (item: Item): number => Math.min(...(referrers.get(item)?.values() ?? [0]));
  const originals = group(before, key);
  for (const [name, items] of group(after, key)) {
    const twins = originals.get(name);
    // As many in the same functions: they come in the same order. Otherwise nothing says which one is new.
    if (twins?.length !== items.length) continue;
    const inOrder = (list: Item[]): Item[] => [...list].sort((a, b) => first(a) - first(b));
    joinInOrder(inOrder(twins), inOrder(items), correlation);
  }
  // A function more or less uses it: one candidate on each side that share a user.
  const left = before.filter((i) => correlation.patched(i) === undefined);
  const open = after.filter((i) => correlation.original(i) === undefined);
  // Where many of one name are single (bookkeeping), none is the only candidate.
  if (left.length > MANY || open.length > MANY) return;
  for (const item of open) {
    const shares = (i: Item): boolean => haveCommon(referrers.get(i), referrers.get(item));
    const candidates = left.filter((i) => correlation.patched(i) === undefined && i.role === item.role && shares(i));
    const rivals = open.filter((i) => correlation.original(i) === undefined && shares(i));
    const [twin] = candidates;
    if (candidates.length === 1 && rivals.length === 1 && twin !== undefined) correlation.join(twin, item);
  }
}

/** Beyond this, comparing each with each would take longer than the rest of the work. */
const MANY = 500;
