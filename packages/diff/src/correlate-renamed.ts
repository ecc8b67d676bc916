/**
 * Variables whose name, scope or home a fix changes. The kernel's keeps its identity where every reference to it corresponds to one of the new;
 * where a new variable may be the kernel's or may not, that is refused. Nothing is done where no variable is both lost and new, which is the rule.
 */
import { Comparer } from "./compare.ts";
import { usedBy } from "./correlate-locals.ts";
import type { Correlation } from "./correlation.ts";
import { fail } from "./errors.ts";
import { homeOf } from "./homes.ts";
import { type Item, isGlobal, sizeOf } from "./items.ts";
import { isLiteral } from "./literals.ts";
import { coldParent, isBookkeeping, stem } from "./names.ts";
import { Refusals } from "./refusals.ts";
import { functionDifference } from "./same-function.ts";
import type { Side } from "./side.ts";
import { placeOf, signatures, type Use, Uses } from "./uses.ts";

/** @returns those that were paired here, of the patched object. @throws DIFF_STATIC_LOCAL, DIFF_VARIABLE_LOST */
export function pairRenamed(original: Side, patched: Side, correlation: Correlation, isElsewhere: (name: string) => boolean): Item[] {
  // What another object defines, before or now, is not paired here.
  const open = (item: Item): boolean => !item.symbols.some(({ name }) => isElsewhere(name));
  const lost = variables(original).filter((item) => correlation.patched(item) === undefined && open(item));
  const gained = variables(patched).filter((item) => correlation.original(item) === undefined && open(item));
  if (lost.length === 0 || gained.length === 0) return [];
  return new Renames(original, patched, correlation, lost, gained).run();
}

function variables({ itemized }: Side): Item[] {
  return itemized.items.filter(
    (item) =>
      item.kind === "object" && item.symbols.length > 0 && homeOf(item) !== undefined && !isLiteral(item) && !isBookkeeping(item.name),
  );
}

class Renames {
  readonly #original: Side;
  readonly #patched: Side;
  readonly #correlation: Correlation;
  readonly #lost: ReadonlySet<Item>;
  readonly #gained: readonly Item[];
  readonly #uses: Uses;
  #functions: ReadonlySet<string>[] | undefined;

  constructor(original: Side, patched: Side, correlation: Correlation, lost: readonly Item[], gained: readonly Item[]) {
    this.#original = original;
    this.#patched = patched;
    this.#correlation = correlation;
    this.#lost = new Set(lost);
    this.#gained = gained;
    this.#uses = new Uses(original, patched, correlation);
  }

  run(): Item[] {
    const rehomed = this.#sameName();
    let joined = this.#candidates();
    for (const [item, twin] of joined) this.#correlation.join(twin, item);
    // What is not shown may have been what others leaned on.
    for (let all = false; !all; ) {
      const compare = new Comparer(this.#original.itemized, this.#patched.itemized, this.#correlation);
      const shown = joined.filter(([item, twin]) => this.#corresponds(twin, item, compare));
      all = shown.length === joined.length;
      for (const [item, twin] of joined) if (!shown.some(([other]) => other === item)) this.#correlation.separate(twin, item);
      joined = shown;
    }
    const refusals = new Refusals();
    for (const item of this.#gained) refusals.attempt(() => this.#check(item));
    refusals.check();
    return [...rehomed, ...joined.map(([item]) => item)];
  }

  /** A programmer's name that stays, in memory of another kind. */
  #sameName(): Item[] {
    const byName = new Map([...this.#lost].map((item) => [item.name, item]));
    return this.#gained.filter((item) => {
      const twin = byName.get(item.name);
      if (twin === undefined || stem(item.name) !== item.name) return false;
      this.#correlation.join(twin, item);
      return true;
    });
  }

  /** New variables, each with the one lost that stands at the same places of functions that have as many references as before. */
  #candidates(): [Item, Item][] {
    const votes = new Map<Item, Set<Item>>();
    const claimed = new Map<Item, Set<Item>>();
    for (const item of this.#gained) {
      if (this.#correlation.original(item) !== undefined) continue;
      for (const use of this.#uses.of("patched", item)) {
        const twin = this.#uses.counterpart(use);
        if (twin === undefined || !this.#lost.has(twin) || this.#correlation.patched(twin) !== undefined || !alike(twin, item)) continue;
        addTo(votes, item, twin);
        addTo(claimed, twin, item);
      }
    }
    return [...votes].flatMap(([item, twins]) => {
      const [twin] = twins;
      return twin !== undefined && twins.size === 1 && claimed.get(twin)?.size === 1 ? [[item, twin] as [Item, Item]] : [];
    });
  }

  /** The same users, each using it in the same way, and one at least that is otherwise unchanged. */
  #corresponds(original: Item, patched: Item, compare: Comparer): boolean {
    if (homeOf(original) === "read-only" && compare.items(original, patched) !== undefined) return false;
    const before = byUser(this.#uses.of("original", original));
    const after = byUser(this.#uses.of("patched", patched));
    if (before.size !== after.size) return false;
    let same = 0;
    for (const [by, uses] of after) {
      const twin = this.#correlation.original(by);
      const others = twin === undefined ? undefined : before.get(twin);
      if (twin === undefined || others === undefined) return false;
      if (functionDifference(compare, [this.#original.entries, twin], [this.#patched.entries, by]) === undefined) same++;
      else if (signatures(others, original).join() !== signatures(uses, patched).join()) return false;
    }
    return same > 0;
  }

  /** @throws DIFF_STATIC_LOCAL, DIFF_VARIABLE_LOST if the kernel's state could be meant */
  #check(item: Item): void {
    const home = homeOf(item);
    if (this.#correlation.original(item) !== undefined || home === "read-only" || home === "boot") return;
    const uses = this.#uses.of("patched", item);
    // What only the boot phase uses is not carried.
    if (!isGlobal(item) && uses.every(({ by }) => homeOf(by) === "boot")) return;
    const referrers = usedBy(item, this.#patched.referrers, (by) => this.#correlation.original(by) !== undefined);
    for (const twin of this.#lost) {
      const homeBefore = homeOf(twin);
      if (this.#correlation.patched(twin) !== undefined || homeBefore === "read-only" || homeBefore === "boot") continue;
      const where = { file: this.#patched.itemized.elf.file, symbol: item.name, section: item.section.name };
      const named = stem(twin.name) === stem(item.name);
      const usersBefore = usedBy(twin, this.#original.referrers, (by) => this.#correlation.patched(by) !== undefined);
      const common = [...referrers.keys()].filter((name) => usersBefore.has(name));
      const both = `${common.join(", ")} used ${twin.name} (${sizeOf(twin)} bytes, ${twin.section.name}), which is gone`;
      if (named && common.length > 0)
        throw fail("DIFF_STATIC_LOCAL", `${both}, and ${item.name} is new: it could be the same variable`, where);
      const sameUsers = [referrers, usersBefore].every((by) => [...by.keys()].every((name) => common.includes(name) || !this.#stays(name)));
      if (common.length > 0 && (this.#used(twin, item) || (sameUsers && this.#usedByAll(twin, item))))
        throw fail("DIFF_VARIABLE_LOST", `${both}, and use ${item.name} (${item.section.name}), which is new, in the same way`, where);
    }
  }

  /** Whether a function of that name was there before and is now. */
  #stays(name: string): boolean {
    this.#functions ??= [this.#original, this.#patched].map(
      ({ itemized }) =>
        new Set(itemized.items.filter(({ kind }) => kind === "function").map((item) => stem(coldParent(item.name) ?? item.name))),
    );
    return this.#functions.every((names) => names.has(name));
  }

  /** Of variables that the same functions use: whether in the same ways, however often, and through whatever helpers. */
  #usedByAll(original: Item, patched: Item): boolean {
    if (!alike(original, patched)) return false;
    const ways = (uses: Use[], item: Item): string[] => [...new Set(signatures(uses, item))].sort();
    return within(ways(this.#uses.of("original", original), original), ways(this.#uses.of("patched", patched), patched));
  }

  /** Whether the uses of one are among those of the other: the whole of it, or a part of what became one structure or was one. */
  #used(original: Item, patched: Item): boolean {
    const before = this.#uses.of("original", original);
    const after = this.#uses.of("patched", patched);
    const of = (start = 0): string[] => signatures(before, original, (by) => this.#correlation.patched(by) !== undefined, start).sort();
    const now = signatures(after, patched, (by) => this.#correlation.original(by) !== undefined).sort();
    if (sizeOf(original) === sizeOf(patched)) return within(of(), now);
    // What is only read once says little.
    if (Math.min(before.length, after.length) < 2 && !of().some((use) => use.startsWith("write"))) return false;
    const starts = new Set(before.flatMap((use) => after.map((other) => placeOf(use) - original.entry - (placeOf(other) - patched.entry))));
    return [...starts].some((start) => within(of(start), now));
  }
}

/** Of one size and in memory of one kind, so that one could stand for the other. */
function alike(original: Item, patched: Item): boolean {
  return sizeOf(original) === sizeOf(patched) && homeOf(original) === homeOf(patched);
}

function byUser(uses: readonly Use[]): Map<Item, Use[]> {
  const found = new Map<Item, Use[]>();
  for (const use of uses) {
    const list = found.get(use.by);
    if (list === undefined) found.set(use.by, [use]);
    else list.push(use);
  }
  return found;
}

/** Whether one sorted list is part of the other. */
function within(a: readonly string[], b: readonly string[]): boolean {
  const [few, many] = a.length <= b.length ? [a, b] : [b, a];
  let at = 0;
  for (const one of many) if (one === few[at]) at++;
  return few.length > 0 && at === few.length;
}

function addTo(map: Map<Item, Set<Item>>, key: Item, value: Item): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([value]));
  else set.add(value);
}
