/** Whether a function is the same in two builds: its code, and the rows of its tables that say something about behaviour. */
import type { Comparer } from "./compare.ts";
import type { Item } from "./items.ts";
import type { Entries } from "./tables.ts";

/** Undefined if it is, otherwise what differs first, for people. */
export function functionDifference(
  compare: Comparer,
  [before, original]: readonly [Entries, Item],
  [after, patched]: readonly [Entries, Item],
): string | undefined {
  const difference = compare.items(original, patched);
  if (difference !== undefined) return difference;
  const a = (before.get(original) ?? []).filter((e) => e.table.compared);
  const b = (after.get(patched) ?? []).filter((e) => e.table.compared);
  if (a.length !== b.length) return `${a.length} → ${b.length} entries of special sections`;
  for (let i = 0; i < a.length; i++) {
    const one = a[i];
    const other = b[i];
    if (one === undefined || other === undefined || one.table.section !== other.table.section) return "entries of special sections";
    if (compare.difference({ ...one, bytes: one.compared }, { ...other, bytes: other.compared }) !== undefined)
      return `entry of ${other.section.name}`;
    const { replacement: x } = one;
    const { replacement: y } = other;
    if ((x === undefined) !== (y === undefined)) return "an alternative";
    if (x !== undefined && y !== undefined && compare.difference(x, y) !== undefined) return "an alternative";
  }
  return undefined;
}
