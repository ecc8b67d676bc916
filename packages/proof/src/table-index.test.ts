import fc from "fast-check";
import { expect, test } from "vitest";
import { byKey } from "./table-index.ts";

const NONE = Number.NEGATIVE_INFINITY;

function compared(keys: Float64Array): number[] {
  return [...keys.keys()].sort((a, b) => (keys[a] === keys[b] ? a - b : (keys[a] as number) < (keys[b] as number) ? -1 : 1));
}

test("entries are in the order of what they are about, and in the table's where that is the same", () => {
  expect([...byKey(Float64Array.of(5, NONE, 3, 5, 0, NONE))]).toEqual([1, 5, 4, 2, 0, 3]);
  const keys = fc.array(fc.oneof(fc.nat(20), fc.maxSafeNat(), fc.nat(), fc.constant(NONE)), { maxLength: 60 });
  fc.assert(fc.property(keys, (list) => void expect([...byKey(Float64Array.from(list))]).toEqual(compared(Float64Array.from(list)))));
  expect([...byKey(Float64Array.of(-4, 3, -5))]).toEqual([2, 0, 1]);
});
