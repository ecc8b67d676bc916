/** The places where a variable is used, of code and data and of rows of special sections, and how. */
import { accessOf, byteOf } from "./accesses.ts";
import type { Correlation } from "./correlation.ts";
import { type Item, isItem, type Ref } from "./items.ts";
import { stem } from "./names.ts";
import type { Side } from "./side.ts";

/** A reference to a variable, of code or data or of a row of a special section that belongs to that. */
export interface Use {
  by: Item;
  ref: Ref;
  /** Of `ref` among those of `by`, or among those of its rows. */
  order: number;
  inTable: boolean;
}

export class Uses {
  readonly #sides: { original: Side; patched: Side };
  readonly #correlation: Correlation;
  readonly #inTables: Record<"original" | "patched", ReadonlyMap<Item, Use[]>>;

  constructor(original: Side, patched: Side, correlation: Correlation) {
    this.#sides = { original, patched };
    this.#correlation = correlation;
    this.#inTables = { original: usesInTables(original), patched: usesInTables(patched) };
  }

  of(side: "original" | "patched", item: Item): Use[] {
    const { referrers } = this.#sides[side];
    return [...referrers.of(item).map((use) => ({ ...use, inTable: false })), ...(this.#inTables[side].get(item) ?? [])];
  }

  /** What the original has where the patched object has this reference. */
  counterpart({ by, order, inTable }: Use): Item | undefined {
    const before = this.#correlation.original(by);
    if (before === undefined) return undefined;
    const a = inTable ? rowRefs(this.#sides.original, before) : before.refs;
    const b = inTable ? rowRefs(this.#sides.patched, by) : by.refs;
    const to = a.length === b.length ? a[order]?.to : undefined;
    return to !== undefined && isItem(to) ? to : undefined;
  }

  /** The same by the order among the references to such items: what moves past them, as a call does, shifts none. */
  counterpartAmong({ by, ref, inTable }: Use, isSuch: (to: Item) => boolean): Item | undefined {
    const before = this.#correlation.original(by);
    if (before === undefined || inTable) return undefined;
    const such = (item: Item): Ref[] => item.refs.filter(({ to }) => isItem(to) && isSuch(to));
    const a = such(before);
    const b = such(by);
    const to = a.length === b.length ? a[b.indexOf(ref)]?.to : undefined;
    return to !== undefined && isItem(to) ? to : undefined;
  }
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

/** The byte that a use names, from the variable's start. */
export function placeOf({ by, ref, inTable }: Omit<Use, "order">): number {
  return inTable || by.kind !== "function" ? ref.target : byteOf(by, ref);
}

/** What each use does with which byte of the variable, counted from `start`; of users that are paired, whose it is. */
export function signatures(uses: readonly Use[], item: Item, isPaired?: (by: Item) => boolean, start = 0): string[] {
  return uses.map(({ by, ref, inTable }) => {
    const how = inTable ? "row" : by.kind === "function" ? accessOf(by, ref) : "data";
    return `${how} ${placeOf({ by, ref, inTable }) - item.entry - start} ${isPaired?.(by) === true ? stem(by.name) : ""}`;
  });
}
