import fc from "fast-check";
import { expect, test } from "vitest";
import { isAnyOpen, isOpen, type Window, windowText } from "./windows.ts";

const window = (from: string, to: string, more: Partial<Window> = {}): Window => ({ days: [], from, to, zone: "Europe/Berlin", ...more });
const at = (time: string): Date => new Date(time);
const WEEK_MS = 7 * 86_400_000;

test.each<[string, Window, string, boolean]>([
  ["its first minute", window("01:00", "03:00", { zone: "utc" }), "2026-03-10T01:00:00Z", true],
  ["the minute before", window("01:00", "03:00", { zone: "utc" }), "2026-03-10T00:59:59Z", false],
  ["its last minute", window("01:00", "03:00", { zone: "utc" }), "2026-03-10T02:59:59Z", true],
  ["its end", window("01:00", "03:00", { zone: "utc" }), "2026-03-10T03:00:00Z", false],
  ["local time in winter", window("01:00", "03:00"), "2026-01-10T00:30:00Z", true],
  ["local time in summer", window("01:00", "03:00"), "2026-07-10T00:30:00Z", true],
  ["the same hour of UTC in summer, at its end", window("01:00", "03:00"), "2026-07-10T01:30:00Z", false],
  // Sunday, 29 March 2026: 02:00 becomes 03:00.
  ["before the hour that is skipped", window("01:30", "02:30"), "2026-03-29T00:45:00Z", true],
  ["the hour that is skipped", window("02:15", "02:45"), "2026-03-29T01:30:00Z", false],
  ["after the hour that is skipped", window("02:30", "03:30"), "2026-03-29T01:15:00Z", true],
  // Sunday, 25 October 2026: 03:00 becomes 02:00.
  ["an hour that comes twice, first", window("02:15", "02:45"), "2026-10-25T00:30:00Z", true],
  ["an hour that comes twice, again", window("02:15", "02:45"), "2026-10-25T01:30:00Z", true],
  ["over midnight, before", window("23:00", "02:00", { days: ["sat"], zone: "utc" }), "2026-03-14T23:30:00Z", true],
  ["over midnight, after, on the next day", window("23:00", "02:00", { days: ["sat"], zone: "utc" }), "2026-03-15T01:30:00Z", true],
  ["over midnight, after, of another day", window("23:00", "02:00", { days: ["sat"], zone: "utc" }), "2026-03-14T01:30:00Z", false],
  ["over midnight into Sunday from Monday", window("23:00", "02:00", { days: ["sun"], zone: "utc" }), "2026-03-16T00:30:00Z", true],
  ["a day of 24 hours", window("06:00", "06:00", { days: ["mon"], zone: "utc" }), "2026-03-17T05:59:00Z", true],
  ["the end of a day of 24 hours", window("06:00", "06:00", { days: ["mon"], zone: "utc" }), "2026-03-17T06:00:00Z", false],
  ["a day that is another one here", window("00:00", "01:00", { days: ["tue"], zone: "Asia/Tokyo" }), "2026-03-16T15:30:00Z", true],
  ["the machine's own zone", window("04:00", "05:00", { zone: "local" }), "2026-03-16T15:30:00Z", false],
  ["the machine's own zone, open", window("00:00", "01:00", { zone: "local" }), "2026-03-16T15:30:00Z", true],
])("%s", (_, which, time, open) => {
  expect(isOpen(which, at(time), "Asia/Tokyo"), windowText(which)).toBe(open);
});

test("without windows it is always open, and one of several is enough", () => {
  const now = at("2026-03-10T01:00:00Z");
  expect(isAnyOpen([], now, "UTC")).toBe(true);
  expect(isAnyOpen([window("05:00", "06:00")], now, "UTC")).toBe(false);
  expect(isAnyOpen([window("05:00", "06:00"), window("01:00", "03:00", { zone: "utc" })], now, "UTC")).toBe(true);
});

const clock = fc
  .integer({ min: 0, max: 1439 })
  .map((m) => `${String(Math.floor(m / 60)).padStart(2, "0")}:${String(m % 60).padStart(2, "0")}`);
const moment = fc.date({ min: at("2025-01-01T00:00:00Z"), max: at("2028-01-01T00:00:00Z"), noInvalidDate: true });

test("a window and the one from its end to its beginning are never open together, and one of them always is", () => {
  fc.assert(
    fc.property(
      clock,
      clock,
      moment,
      fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"),
      (from, to, now, zone) => {
        fc.pre(from !== to);
        expect(isOpen(window(from, to, { zone }), now, "UTC")).toBe(!isOpen(window(to, from, { zone }), now, "UTC"));
      },
    ),
  );
});

test("in UTC what is open now is open in a week", () => {
  fc.assert(
    fc.property(
      clock,
      clock,
      moment,
      fc.uniqueArray(fc.constantFrom("mon" as const, "wed" as const, "sun" as const)),
      (from, to, now, days) => {
        const one = window(from, to, { zone: "utc", days });
        expect(isOpen(one, new Date(now.getTime() + WEEK_MS), "UTC")).toBe(isOpen(one, now, "UTC"));
      },
    ),
  );
});
