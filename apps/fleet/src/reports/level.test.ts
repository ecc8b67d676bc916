import { expect, test } from "vitest";
import { STATE } from "../../test/machine.ts";
import { levelOf, MOST_MOVES, placeAt } from "./level.ts";

test("a level is short, whatever a machine says", () => {
  const livepatches = Array.from({ length: 200 }, (_, i) => ({ name: `${i}`.padEnd(100, "x"), sha256: null, inEffect: true, kept: false }));
  const sha256 = "ab".repeat(32);
  const row = levelOf({
    ...STATE,
    version: "6.1.1 <b>",
    livepatches: [...livepatches, { name: "fix", sha256, inEffect: true, kept: true }],
  });
  expect(row.version).toBeNull();
  expect(row.livepatches).toHaveLength(20);
  expect(row.livepatches[0]).toBe(sha256);
  expect(Math.max(...row.livepatches.map((one) => one.length))).toBe(69);
  expect(levelOf({ ...STATE, version: "1:6.1.73-1+rpt1~bpo12" }).version).toBe("1:6.1.73-1+rpt1~bpo12");
});

test("a machine that comes to another level all the time is at none for the rest of the hour", () => {
  let place = placeAt("first", { level: null, moves: 0, recent: false });
  expect(place).toEqual({ level: "first", moves: 1, begins: true });
  const seen: (string | null)[] = [];
  for (let i = 0; i < MOST_MOVES + 5; i++) {
    place = placeAt(`${i}`, { ...place, recent: true });
    seen.push(place.level);
  }
  expect(seen.filter((level) => level !== null)).toHaveLength(MOST_MOVES - 1);
  expect(place.level).toBeNull();
  expect(placeAt("another", { ...place, recent: false })).toMatchObject({ level: "another", moves: 1 });
  // The hour is that of its moves, and no report without one makes it longer.
  for (const recent of [true, false])
    expect(placeAt("same", { level: "same", moves: MOST_MOVES, recent })).toMatchObject({ level: "same", begins: false });
});
