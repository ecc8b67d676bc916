import fc from "fast-check";
import { expect, test } from "vitest";
import { align } from "./align.ts";

const list = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 40 });

test("every entry of both lists is there once, in order, and those beside each other are the same", () => {
  fc.assert(
    fc.property(list, list, (before, after) => {
      const pairs = align(before, after);
      expect(pairs.flatMap(([a]) => (a === undefined ? [] : [a]))).toEqual(before.map((_, i) => i));
      expect(pairs.flatMap(([, b]) => (b === undefined ? [] : [b]))).toEqual(after.map((_, i) => i));
      for (const [a, b] of pairs) if (a !== undefined && b !== undefined) expect(before[a]).toBe(after[b]);
    }),
    { numRuns: 2000 },
  );
});

test("what was put in stands alone, and what is far too different stands one after the other", () => {
  const before = Array.from({ length: 3000 }, (_, i) => `old ${i}`);
  const more = [...before.slice(0, 1000), "new", ...before.slice(1000)];
  expect(align(before, more).filter(([a, b]) => a === undefined || b === undefined)).toEqual([[undefined, 1000]]);
  const after = Array.from({ length: 3000 }, (_, i) => `new ${i}`);
  expect(align(before, after).length).toBe(6000);
});
