/**
 * Functions that a fix calls otherwise and does not change: same code, same references. Each is the kernel's under another name, so that tables
 * that point to it are the same, and callers too.
 */
import { Comparer } from "./compare.ts";
import { type Correlation, group } from "./correlation.ts";
import { bytesOf, type Item, isGlobal } from "./items.ts";
import { functionDifference } from "./same-function.ts";
import type { Side } from "./side.ts";

/** Only where one of those that are gone and one of those that are new have the same bytes: which of several is which cannot be told. */
export function pairRenamedFunctions(
  original: Side,
  patched: Side,
  correlation: Correlation,
  isElsewhere: (name: string) => boolean,
): void {
  const lost = functions(original, (item) => correlation.patched(item) === undefined);
  // What another object of the kernel has by that name is told apart later.
  const gained = functions(
    patched,
    (item) => correlation.original(item) === undefined && !item.symbols.some(({ name }) => isElsewhere(name)),
  );
  if (lost.length === 0 || gained.length === 0) return;
  const before = group(lost, keyOf);
  let joined: [Item, Item][] = [];
  for (const [key, [item, ...others]] of group(gained, keyOf)) {
    const [twin, ...twins] = before.get(key) ?? [];
    if (item !== undefined && twin !== undefined && others.length + twins.length === 0) joined.push([twin, item]);
  }
  for (const [twin, item] of joined) correlation.join(twin, item);
  // One that differs may have been what others leaned on.
  for (let all = false; !all; ) {
    const compare = new Comparer(original.itemized, patched.itemized, correlation);
    const same = joined.filter(
      ([twin, item]) => functionDifference(compare, [original.entries, twin], [patched.entries, item]) === undefined,
    );
    for (const [twin, item] of joined) if (!same.some(([other]) => other === twin)) correlation.separate(twin, item);
    all = same.length === joined.length;
    joined = same;
  }
}

function functions({ itemized }: Side, isSingle: (item: Item) => boolean): Item[] {
  return itemized.items.filter((item) => item.kind === "function" && isSingle(item));
}

/** What has to be the same in any case: its bytes but for what references fill in, told by the comparison, and who may name it. */
function keyOf(item: Item): string {
  const bytes = Buffer.from(bytesOf(item)).toString("latin1");
  return [item.role, isGlobal(item), item.symbols.length, bytes].join(" ");
}
