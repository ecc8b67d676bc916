/**
 * Variables whose name, scope or home a fix changes. The kernel's keeps its identity where every reference to it corresponds to one of the new;
 * where a new variable may be the kernel's or may not, that is refused. Nothing is done where no variable is both lost and new, which is the rule.
 */
import { accessOf } from "./accesses.ts";
import { Comparer } from "./compare.ts";
import { fail } from "./errors.ts";
import { homeOf } from "./homes.ts";
import { type Item, isGlobal, isItem, type Ref, sizeOf } from "./items.ts";
import { isLiteral } from "./literals.ts";
import { isBookkeeping, stem } from "./names.ts";
import { usedBy } from "./pair-locals.ts";
import type { Pairs } from "./pairs.ts";
import type { Side } from "./plan.ts";
import { functionDifference } from "./same-function.ts";

/** @returns those that were paired here, of the patched object. @throws DIFF_STATIC_LOCAL, DIFF_VARIABLE_LOST */
export function pairRenamed(original: Side, patched: Side, pairs: Pairs, isElsewhere: (name: string) => boolean): Item[] {
  // What another object defines, before or now, is not paired here.
  const open = (item: Item): boolean => !item.symbols.some(({ name }) => isElsewhere(name));
  const lost = variables(original).filter((item) => pairs.patched(item) === undefined && open(item));
  const gained = variables(patched).filter((item) => pairs.original(item) === undefined && open(item));
  if (lost.length === 0 || gained.length === 0) return [];
  return new Renames(original, patched, pairs, lost, gained).run();
}

function variables({ cut }: Side): Item[] {
  return cut.items.filter(
    (item) =>
      item.kind === "object" && item.symbols.length > 0 && homeOf(item) !== undefined && !isLiteral(item) && !isBookkeeping(item.name),
  );
}

/** A reference to a variable, of code or data or of a row of a special section that belongs to that. */
interface Use {
  by: Item;
  ref: Ref;
  /** Of `ref` among those of `by`, or among those of its rows. */
  order: number;
  inTable: boolean;
}

class Renames {
  readonly #original: Side;
  readonly #patched: Side;
  readonly #pairs: Pairs;
  readonly #lost: ReadonlySet<Item>;
  readonly #gained: readonly Item[];
  readonly #inTables: Record<"original" | "patched", ReadonlyMap<Item, Use[]>>;

  constructor(original: Side, patched: Side, pairs: Pairs, lost: readonly Item[], gained: readonly Item[]) {
    this.#original = original;
    this.#patched = patched;
    this.#pairs = pairs;
    this.#lost = new Set(lost);
    this.#gained = gained;
    this.#inTables = { original: usesInTables(original), patched: usesInTables(patched) };
  }

  run(): Item[] {
    const rehomed = this.#sameName();
    let joined = this.#candidates();
    for (const [item, twin] of joined) this.#pairs.join(twin, item);
    // What is not shown may have been what others leaned on.
    for (let all = false; !all; ) {
      const compare = new Comparer(this.#original.cut, this.#patched.cut, this.#pairs);
      const shown = joined.filter(([item, twin]) => this.#corresponds(twin, item, compare));
      all = shown.length === joined.length;
      for (const [item, twin] of joined) if (!shown.some(([other]) => other === item)) this.#pairs.separate(twin, item);
      joined = shown;
    }
    for (const item of this.#gained) this.#check(item);
    return [...rehomed, ...joined.map(([item]) => item)];
  }

  /** A programmer's name that stays, in memory of another kind. */
  #sameName(): Item[] {
    const byName = new Map([...this.#lost].map((item) => [item.name, item]));
    return this.#gained.filter((item) => {
      const twin = byName.get(item.name);
      if (twin === undefined || stem(item.name) !== item.name) return false;
      this.#pairs.join(twin, item);
      return true;
    });
  }

  /** New variables, each with the one lost that stands at the same places of functions that have as many references as before. */
  #candidates(): [Item, Item][] {
    const votes = new Map<Item, Set<Item>>();
    const claimed = new Map<Item, Set<Item>>();
    for (const item of this.#gained) {
      if (this.#pairs.original(item) !== undefined) continue;
      for (const use of this.#uses("patched", item)) {
        const twin = this.#counterpart(use);
        if (twin === undefined || !this.#lost.has(twin) || this.#pairs.patched(twin) !== undefined || !alike(twin, item)) continue;
        addTo(votes, item, twin);
        addTo(claimed, twin, item);
      }
    }
    return [...votes].flatMap(([item, twins]) => {
      const [twin] = twins;
      return twin !== undefined && twins.size === 1 && claimed.get(twin)?.size === 1 ? [[item, twin] as [Item, Item]] : [];
    });
  }

  /** What the original has where the patched object has this reference. */
  #counterpart({ by, order, inTable }: Use): Item | undefined {
    const before = this.#pairs.original(by);
    if (before === undefined) return undefined;
    const a = inTable ? rowRefs(this.#original, before) : before.refs;
    const b = inTable ? rowRefs(this.#patched, by) : by.refs;
    const to = a.length === b.length ? a[order]?.to : undefined;
    return to !== undefined && isItem(to) ? to : undefined;
  }

  /** The same users, each using it in the same way, and one at least that is otherwise unchanged. */
  #corresponds(original: Item, patched: Item, compare: Comparer): boolean {
    if (homeOf(original) === "read-only" && compare.items(original, patched) !== undefined) return false;
    const before = byUser(this.#uses("original", original));
    const after = byUser(this.#uses("patched", patched));
    if (before.size !== after.size) return false;
    let same = 0;
    for (const [by, uses] of after) {
      const twin = this.#pairs.original(by);
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
    if (this.#pairs.original(item) !== undefined || home === "read-only" || home === "boot") return;
    const uses = this.#uses("patched", item);
    // What only the boot phase uses is not carried.
    if (!isGlobal(item) && uses.every(({ by }) => homeOf(by) === "boot")) return;
    const own = signatures(uses, item, (by) => this.#pairs.original(by) !== undefined).sort();
    const users = usedBy(item, this.#patched.users, (by) => this.#pairs.original(by) !== undefined);
    for (const twin of this.#lost) {
      const homeBefore = homeOf(twin);
      if (this.#pairs.patched(twin) !== undefined || homeBefore === "read-only" || homeBefore === "boot") continue;
      const where = { file: this.#patched.cut.elf.file, symbol: item.name, section: item.section.name };
      const named = stem(twin.name) === stem(item.name);
      const usersBefore = usedBy(twin, this.#original.users, (by) => this.#pairs.patched(by) !== undefined);
      const common = [...users.keys()].filter((name) => usersBefore.has(name));
      const both = `${common.join(", ")} used ${twin.name} (${sizeOf(twin)} bytes, ${twin.section.name}), which is gone`;
      if (named && common.length > 0)
        throw fail("DIFF_STATIC_LOCAL", `${both}, and ${item.name} is new: it could be the same variable`, where);
      if (!alike(twin, item) || common.length === 0) continue;
      if (within(signatures(this.#uses("original", twin), twin, (by) => this.#pairs.patched(by) !== undefined).sort(), own))
        throw fail("DIFF_VARIABLE_LOST", `${both}, and use ${item.name} (${item.section.name}), which is new, in the same way`, where);
    }
  }

  #uses(side: "original" | "patched", item: Item): Use[] {
    const { users } = side === "original" ? this.#original : this.#patched;
    return [...users.of(item).map((use) => ({ ...use, inTable: false })), ...(this.#inTables[side].get(item) ?? [])];
  }
}

/** Of one size and in memory of one kind, so that one could stand for the other. */
function alike(original: Item, patched: Item): boolean {
  return sizeOf(original) === sizeOf(patched) && homeOf(original) === homeOf(patched);
}

function rowRefs({ entries }: Side, item: Item): Ref[] {
  return (entries.get(item) ?? []).flatMap((entry) => [...entry.refs, ...(entry.replacement?.refs ?? [])]);
}

function usesInTables(side: Side): Map<Item, Use[]> {
  const found = new Map<Item, Use[]>();
  for (const by of side.entries.keys())
    rowRefs(side, by).forEach((ref, order) => {
      if (!isItem(ref.to) || ref.to.kind === "function") return;
      const uses = found.get(ref.to);
      const use = { by, ref, order, inTable: true };
      if (uses === undefined) found.set(ref.to, [use]);
      else uses.push(use);
    });
  return found;
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

/** What each use does with which byte of the variable; of users that are paired, whose it is. */
function signatures(uses: readonly Use[], item: Item, isPaired?: (by: Item) => boolean): string[] {
  return uses.map(({ by, ref, inTable }) => {
    const how = inTable ? "row" : by.kind === "function" ? accessOf(by, ref) : "data";
    return `${how} ${ref.addend - item.entry} ${isPaired?.(by) === true ? stem(by.name) : ""}`;
  });
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
