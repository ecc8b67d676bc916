/**
 * Variables that change names among each other: each name stays, and all that used one variable uses another of the kernel's. Whether names or state
 * were meant cannot be said.
 */

import type { Correlation } from "./correlation.ts";
import { fail } from "./errors.ts";
import { homeOf } from "./homes.ts";
import { type Item, isItem, sizeOf } from "./items.ts";
import { isLiteral } from "./literals.ts";
import { isBookkeeping } from "./names.ts";
import { Refusals } from "./refusals.ts";
import type { Side } from "./side.ts";
import { signatures, type Use, Uses } from "./uses.ts";

/** @throws DIFF_VARIABLE_LOST */
export function checkExchanged(original: Side, patched: Side, correlation: Correlation): void {
  const uses = new Uses(original, patched, correlation);
  const variables = patched.itemized.items.filter(hasState);
  const moved = variables.flatMap((item): [Item, Item, Use[]][] => {
    const twin = correlation.original(item);
    const own = liveUses(uses, "patched", item);
    const isWhereItWas = (use: Use): boolean => uses.counterpart(use) === twin || uses.counterpartAmong(use, hasState) === twin;
    // One place less or more is no change of names.
    if (twin === undefined || own.length === 0 || own.some(isWhereItWas)) return [];
    return [[item, twin, own]];
  });
  const refusals = new Refusals();
  for (const [item, twin, own] of moved) {
    const other = standsFor(item, own, uses) ?? usedAlike(item, twin, own, { original, correlation, uses });
    if (other === undefined || other === twin || sizeOf(other) !== sizeOf(item) || homeOf(other) !== homeOf(item)) continue;
    refusals.add(
      fail(
        "DIFF_VARIABLE_LOST",
        `${item.name} is used where ${other.name} was, and nowhere that it was used before: names may have been exchanged, and each variable has its state`,
        { file: patched.itemized.elf.file, symbol: item.name, section: item.section.name },
      ),
    );
  }
  refusals.check();
}

/** Those by what can still run: nothing of the others comes into the livepatch. */
function liveUses(uses: Uses, side: "original" | "patched", item: Item): Use[] {
  return uses.of(side, item).filter(({ by }) => by.role !== "init" && by.role !== "exit" && by.role !== "unload");
}

function hasState(item: Item): boolean {
  const home = homeOf(item);
  return (
    item.kind === "object" &&
    (home === "writable" || home === "late" || home === "per-CPU") &&
    item.symbols.length > 0 &&
    !isLiteral(item) &&
    !isBookkeeping(item.name)
  );
}

/** The one at all places of the original. */
function standsFor(item: Item, own: readonly Use[], uses: Uses): Item | undefined {
  const places = new Set(own.map((use) => uses.counterpart(use)));
  const [only] = places;
  return places.size === 1 && only !== undefined && isItem(only) && hasState(only) && only !== item ? only : undefined;
}

/** Another one that was used by the same functions in the same ways, as often, and is not any more. */
function usedAlike(
  item: Item,
  twin: Item,
  own: readonly Use[],
  { original, correlation, uses }: { original: Side; correlation: Correlation; uses: Uses },
): Item | undefined {
  const before = (one: Item): string =>
    signatures(liveUses(uses, "original", one), one, (by) => correlation.patched(by) !== undefined)
      .sort()
      .join();
  const after = (one: Item, of: readonly Use[]): string =>
    signatures(of, one, (by) => correlation.original(by) !== undefined)
      .sort()
      .join();
  const now = after(item, own);
  if (own.length < 2 || now === before(twin)) return undefined;
  return original.itemized.items.find((one) => {
    if (one === twin || !hasState(one) || before(one) !== now) return false;
    const successor = correlation.patched(one);
    return successor === undefined || after(successor, liveUses(uses, "patched", successor)) !== now;
  });
}
