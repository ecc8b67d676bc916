import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Edit, Weave } from "./weave.ts";

const lines = (text: string): string[] => [...text].map((c) => `${c}\n`);
const text = (weave: Weave, ...units: number[]): string | undefined => weave.textOf(new Set(units))?.replaceAll("\n", "");

test("any choice of units is read off, and a unit needs those whose lines it changes or stands beside", () => {
  const weave = new Weave(lines("abcdefgh"));
  expect(weave.weave(0, [{ at: 1, remove: 1, insert: lines("B") }])).toEqual(new Set());
  expect(weave.weave(1, [{ at: 5, remove: 0, insert: lines("xy") }])).toEqual(new Set());
  expect(weave.weave(2, [{ at: 1, remove: 1, insert: lines("b") }])).toEqual(new Set([0]));
  expect(weave.weave(3, [{ at: 7, remove: 1, insert: [] }])).toEqual(new Set([1]));
  expect(text(weave)).toBe("abcdefgh");
  expect(text(weave, 0)).toBe("aBcdefgh");
  expect(text(weave, 1)).toBe("abcdexyfgh");
  expect(text(weave, 0, 2)).toBe("abcdefgh");
  expect(text(weave, 0, 1, 2, 3)).toBe("abcdexygh");
});

test("a new file is there with the unit that brings it only", () => {
  const weave = new Weave([], false);
  weave.weave(4, [{ at: 0, remove: 0, insert: lines("n") }]);
  expect(text(weave)).toBeUndefined();
  expect(text(weave, 4)).toBe("n");
});

test("with all units the text is what edits one after the other make of it", () => {
  const line = fc.string({ maxLength: 2 }).map((text) => `${text.replaceAll("\n", "")}\n`);
  const edit = fc.record({
    at: fc.nat(30),
    remove: fc.nat(4),
    insert: fc.array(line, { maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 20 }), fc.array(edit, { maxLength: 8 }), (start, edits) => {
      const weave = new Weave(start);
      const plain = [...start];
      for (const [unit, { at, remove, insert }] of edits.entries()) {
        const from = Math.min(at, plain.length);
        const count = Math.min(remove, plain.length - from);
        const one: Edit = { at: from, remove: count, insert };
        plain.splice(from, count, ...insert);
        weave.weave(unit, [one]);
      }
      expect(weave.current).toEqual(plain);
      expect(weave.textOf(new Set())).toBe(start.join(""));
    }),
  );
});

test("a line that is taken away holds that line, and not the file that it was in", () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  const used = (): number => {
    gc();
    return process.memoryUsage().heapUsed;
  };
  const all = `${"a line that is long enough to be kept as a place in the text\n".repeat(20_000)}`;
  const before = used();
  const weave = new Weave(all.split(/(?<=\n)/));
  for (let unit = 0; unit < 200; unit++) weave.weave(unit, [{ at: 50 * unit + 1, remove: 1, insert: [`${unit}\n`] }]);
  expect(used() - before).toBeLessThan(4 * all.length);
  expect(weave.textOf(new Set())).toBe(all);
});
