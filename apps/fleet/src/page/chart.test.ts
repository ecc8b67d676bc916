import fc from "fast-check";
import { expect, test } from "vitest";
import { chartHtml } from "./chart.ts";

test("whatever the numbers are, the lines stay within the picture, and names are text", () => {
  const point = fc.tuple(fc.integer({ min: 1_600_000_000_000, max: 1_900_000_000_000 }), fc.nat());
  fc.assert(
    fc.property(fc.array(fc.array(point, { minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 5 }), (all) => {
      const series = all.map((points, i) => ({ name: `<b>${i}`, points: points.sort(([a], [b]) => a - b) }));
      const text = chartHtml("machines", series)?.text;
      const times = new Set(all.flat().map(([at]) => at));
      expect(text === undefined).toBe(times.size < 2);
      if (text === undefined) return;
      expect(text).not.toContain("<b>");
      const lines = [...text.matchAll(/points="([^"]+)"/g)].map(([, points = ""]) => points.split(" "));
      expect(lines.map((line) => line.length)).toEqual(all.map((points) => 2 * points.length - 1));
      for (const at of lines.flat()) {
        const [x = -1, y = -1] = at.split(",").map(Number);
        expect(x >= 56 && x <= 632 && y >= 8 && y <= 176, at).toBe(true);
      }
    }),
  );
});

test("a line goes from the first to the last, up to the most, and says what is now", () => {
  const text = chartHtml("A roll-out", [
    {
      name: "exposed",
      points: [
        [0, 0],
        [1000, 10],
      ],
    },
  ])?.text;
  expect(text).toContain('points="56.0,176.0 632.0,176.0 632.0,8.0"');
  expect(text).toContain('aria-label="A roll-out; now exposed: 10"');
  expect(chartHtml("none", [])).toBeUndefined();
});
