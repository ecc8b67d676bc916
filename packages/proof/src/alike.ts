/**
 * Code that the ground has in several places, word for word, where nothing tells which of them is the object's: a static function that each file of a
 * module has of one header, and that none of its code calls any more. Whichever it is, it is what runs there. It has no place all the same: what asks
 * for one is refused.
 */
import { isWeak, type Part, type Parts } from "./items.ts";
import type { Placement } from "./placement.ts";
import type { RunningCode } from "./running-code.ts";
import type { RunningTables } from "./table-index.ts";
import type { ObjectTable } from "./tables.ts";
import { type Verdict, verify } from "./verify.ts";

/** Holds the object against the ground, and code that fits in several places against each of them. */
export function verifyEverywhere(
  parts: Parts,
  tables: readonly ObjectTable[],
  placement: Placement,
  running: RunningCode,
  index: RunningTables,
): Verdict {
  const at = (places: ReadonlyMap<Part, number>): Placement => ({ ...placement, bases: new Map([...placement.bases, ...places]) });
  const fits = (part: Part, base: number): boolean =>
    verify(parts, tables, at(new Map([[part, base]])), running, index).findings.every((finding) => finding.part !== part);
  const alike = new Map<Part, number>();
  for (const [part, bases] of placement.ambiguous) {
    const [first] = bases;
    if (first === undefined || part.role !== "code" || part.symbols.some(isWeak)) continue;
    if (bases.every((base) => fits(part, base))) alike.set(part, first);
  }
  return verify(parts, tables, at(alike), running, index);
}
