/**
 * Pairs the items of the original with those of the patched object: the same function or variable, in two builds. From here on a patched
 * item without a twin is new, and an original one without a twin is gone.
 */
import { fail } from "./errors.ts";
import { bytesOf, type Cut, type Item, isItem, sizeOf } from "./items.ts";
import { isLiteral } from "./literals.ts";
import { coldParent, isBookkeeping, stem } from "./names.ts";

export class Pairs {
  readonly #forward = new Map<Item, Item>();
  readonly #backward = new Map<Item, Item>();

  join(original: Item, patched: Item): void {
    this.#forward.set(original, patched);
    this.#backward.set(patched, original);
  }

  /** The patched twin of an original item. */
  patched(original: Item): Item | undefined {
    return this.#forward.get(original);
  }

  /** The original twin of a patched item. */
  original(patched: Item): Item | undefined {
    return this.#backward.get(patched);
  }

  joined(original: Item, patched: Item): boolean {
    return this.#forward.get(original) === patched;
  }
}

export function pair(original: Cut, patched: Cut): Pairs {
  const pairs = new Pairs();
  pairFunctions(original, patched, pairs);
  pairObjects(original, patched, pairs);
  return pairs;
}

function pairFunctions(original: Cut, patched: Cut, pairs: Pairs): void {
  const functions = (cut: Cut): Item[] => cut.items.filter((i) => i.kind === "function");
  // Split-off parts after the functions that they belong to.
  for (const cold of [false, true]) {
    const wanted = (i: Item): boolean => (coldParent(i.name) !== undefined) === cold;
    const before = functions(original).filter(wanted);
    const after = functions(patched).filter(wanted);
    pairBy(before, after, pairs, exactName);
    pairBy(before, after, pairs, (i) => stem(i.name));
    // Clones of one function whose numbers moved: the same code first, then the order that gcc made them in.
    pairClones(before, after, pairs);
  }
}

function exactName(item: Item): string {
  return item.symbols.some((s) => s.bind !== 0) ? `global ${item.name}` : item.name;
}

/** Joins items whose key occurs exactly once on each side among those that are still single. */
function pairBy(before: Item[], after: Item[], pairs: Pairs, key: (item: Item) => string): void {
  const originals = unique(before.filter((i) => pairs.patched(i) === undefined), key);
  const patched = unique(after.filter((i) => pairs.original(i) === undefined), key);
  for (const [name, item] of originals) {
    const twin = patched.get(name);
    if (twin !== undefined && twin.role === item.role) pairs.join(item, twin);
  }
}

function unique(items: Item[], key: (item: Item) => string): Map<string, Item> {
  const seen = new Map<string, Item | undefined>();
  for (const item of items) seen.set(key(item), seen.has(key(item)) ? undefined : item);
  return new Map([...seen].filter((entry): entry is [string, Item] => entry[1] !== undefined));
}

function pairClones(before: Item[], after: Item[], pairs: Pairs): void {
  const groups = group(
    after.filter((i) => pairs.original(i) === undefined),
    (i) => stem(i.name),
  );
  for (const [name, clones] of groups) {
    const originals = before.filter((i) => pairs.patched(i) === undefined && stem(i.name) === name);
    for (const clone of clones) {
      const same = originals.find((i) => pairs.patched(i) === undefined && equalBytes(i, clone));
      if (same !== undefined) pairs.join(same, clone);
    }
    const left = originals.filter((i) => pairs.patched(i) === undefined);
    const open = clones.filter((i) => pairs.original(i) === undefined);
    if (left.length === open.length)
      left.forEach((item, i) => {
        const twin = open[i];
        if (twin !== undefined) pairs.join(item, twin);
      });
  }
}

export function group<K>(items: Item[], key: (item: Item) => K): Map<K, Item[]> {
  const groups = new Map<K, Item[]>();
  for (const item of items) {
    const list = groups.get(key(item));
    if (list === undefined) groups.set(key(item), [item]);
    else list.push(item);
  }
  return groups;
}

export function equalBytes(a: Item, b: Item): boolean {
  return sizeOf(a) === sizeOf(b) && Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
}

function pairObjects(original: Cut, patched: Cut, pairs: Pairs): void {
  const objects = (cut: Cut): Item[] => cut.items.filter((i) => (i.kind === "object" || i.kind === "anonymous") && !isLiteral(i));
  const before = objects(original);
  const after = objects(patched);
  // A name without a number is the programmer's own, one to an object.
  const named = (i: Item): boolean => i.symbols.length > 0 && stem(i.name) === i.name;
  pairBy(before.filter(named), after.filter(named), pairs, exactName);
  const unnamed = (i: Item): boolean => i.kind === "anonymous";
  pairBy(before.filter(unnamed), after.filter(unnamed), pairs, (i) => i.name);
  const descriptor = (i: Item): boolean => i.role === "dyndbg";
  for (const key of [contentsKey, referencesKey]) pairByContents(before.filter(descriptor), after.filter(descriptor), pairs, key);
  const local = (i: Item): boolean => i.symbols.length > 0 && !named(i) && i.role !== "dyndbg";
  pairStaticLocals(before.filter(local), after.filter(local), pairs, new Users(original), new Users(patched));
}

/** Descriptors of pr_debug: the function, the format and the line that they hold say which is which; without the line, if that moved. */
function pairByContents(before: Item[], after: Item[], pairs: Pairs, contents: (item: Item) => string): void {
  const originals = group(
    before.filter((i) => pairs.patched(i) === undefined),
    contents,
  );
  const open = after.filter((i) => pairs.original(i) === undefined);
  for (const [key, items] of group(open, contents)) {
    const twins = originals.get(key);
    if (twins?.length !== items.length) continue;
    items.forEach((item, i) => {
      const twin = twins[i];
      if (twin !== undefined) pairs.join(twin, item);
    });
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

/** Which functions use an item. A function without a twin speaks through those that use it: inlining moves code between them. */
class Users {
  readonly #users = new Map<Item, { by: Item; order: number }[]>();

  constructor(cut: Cut) {
    for (const by of cut.items)
      by.refs.forEach((ref, order) => {
        if (!isItem(ref.to)) return;
        const list = this.#users.get(ref.to);
        if (list === undefined) this.#users.set(ref.to, [{ by, order }]);
        else list.push({ by, order });
      });
  }

  /** Names of the paired functions (and objects) that use the item, directly or through unpaired ones, with where they do first. */
  of(item: Item, paired: (item: Item) => boolean): Map<string, number> {
    const found = new Map<string, number>();
    const seen = new Set<Item>([item]);
    const queue = [item];
    for (let next = queue.pop(); next !== undefined; next = queue.pop())
      for (const { by, order } of this.#users.get(next) ?? []) {
        const name = stem(coldParent(by.name) ?? by.name);
        if (!found.has(name) || (found.get(name) ?? 0) > order) found.set(name, order);
        if (!paired(by) && !seen.has(by)) {
          seen.add(by);
          queue.push(by);
        }
      }
    return found;
  }
}

/**
 * Static locals carry numbers that move between builds: they are paired through the functions that use them, by size and name without the
 * number. What stays single on both sides could be one variable's live state given to another: refused, unless it is bookkeeping.
 */
function pairStaticLocals(before: Item[], after: Item[], pairs: Pairs, usersBefore: Users, usersAfter: Users): void {
  const originals = group(before, (i) => stem(i.name));
  for (const [name, items] of group(after, (i) => stem(i.name))) {
    const twins = originals.get(name) ?? [];
    const users = new Map<Item, Map<string, number>>();
    for (const item of items) users.set(item, usersAfter.of(item, (i) => pairs.original(i) !== undefined));
    for (const twin of twins) users.set(twin, usersBefore.of(twin, (i) => pairs.patched(i) !== undefined));
    pairWithinUsers(twins, items, users, pairs);
    const lost = twins.filter((i) => pairs.patched(i) === undefined);
    for (const item of items) {
      if (pairs.original(item) !== undefined || isBookkeeping(item.name) || item.role === "rodata") continue;
      const rival = lost.find((i) => common(users.get(i), users.get(item)) || (users.get(i)?.size === 0 && users.get(item)?.size === 0));
      if (rival !== undefined || lost.length > 0)
        throw fail(
          "DIFF_STATIC_LOCAL",
          `${item.name} of the patched object could be ${(rival ?? lost[0])?.name} of the original, or a new variable`,
          { symbol: item.name, section: item.section.name },
        );
    }
  }
}

function common(a: Map<string, number> | undefined, b: Map<string, number> | undefined): boolean {
  return a !== undefined && b !== undefined && [...a.keys()].some((name) => b.has(name));
}

function pairWithinUsers(before: Item[], after: Item[], users: Map<Item, Map<string, number>>, pairs: Pairs): void {
  const key = (item: Item): string =>
    `${item.role} ${sizeOf(item)} ${item.symbols[0]?.type} ${[...(users.get(item)?.keys() ?? [])].sort().join(" ")}`;
  const first = (item: Item): number => Math.min(...(users.get(item)?.values() ?? [0]));
  const originals = group(before, key);
  for (const [name, items] of group(after, key)) {
    const twins = originals.get(name);
    // As many in the same functions: they come in the same order. Otherwise nothing says which one is new.
    if (twins?.length !== items.length) continue;
    const ordered = [...twins].sort((a, b) => first(a) - first(b));
    [...items]
      .sort((a, b) => first(a) - first(b))
      .forEach((item, i) => {
        const twin = ordered[i];
        if (twin !== undefined) pairs.join(twin, item);
      });
  }
  // A function more or less uses it: one candidate on each side that share a user.
  const left = before.filter((i) => pairs.patched(i) === undefined);
  const open = after.filter((i) => pairs.original(i) === undefined);
  for (const item of open) {
    const candidates = left.filter(
      (i) => pairs.patched(i) === undefined && i.role === item.role && common(users.get(i), users.get(item)),
    );
    const rivals = open.filter((i) => pairs.original(i) === undefined && common(users.get(i), users.get(item)));
    const [twin] = candidates;
    if (candidates.length === 1 && rivals.length === 1 && twin !== undefined) pairs.join(twin, item);
  }
}
