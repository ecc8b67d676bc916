import { appendFileSync, realpathSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { folderOnDisk } from "@suture/testkit/folders";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { isCoarse, restedSince, stampOf } from "./stamp.ts";

let folder: string;
let a: string;
let b: string;
beforeEach(() => {
  folder = folderOnDisk({ a: "1", b: "1" });
  [a, b] = [join(folder, "a"), join(folder, "b")];
});
afterEach(() => vi.useRealTimers());

/** As it will be said when nothing was changed for long. */
const later = () => Date.now() + 100_000;
/** Until a change has another time. */
const tick = () => setTimeout(20);

test("a stamp is there once a file has rested", () => {
  expect(stampOf([a])).toBeUndefined();
  expect(stampOf([a], Date.now() + 50_000)).toBeUndefined();
  expect(stampOf([a], later())).toMatch(/^[0-9a-f]{64}$/);
  expect(stampOf([join(folder, "nowhere")], later())).toBeUndefined();
  // As old as one likes to say, it was still changed just now.
  utimesSync(a, 1, 1);
  expect(stampOf([a])).toBeUndefined();
});

test("a clock that was put back makes no stamp of what seems to come", () => {
  expect(stampOf([a], Date.now() - 3_600_000)).toBeUndefined();
});

test("files, and the same in another order, have stamps of their own", () => {
  const stamps = [[a], [b], [a, b], [b, a], []].map((paths) => stampOf(paths, later()));
  expect(new Set(stamps).size).toBe(5);
  expect(stamps).not.toContain(undefined);
});

const OLD = 1_000_000;
const CHANGES: Readonly<Record<string, () => void>> = {
  "of the same size": () => writeFileSync(a, "2"),
  "of the same size, its old time put back": () => {
    const { atimeMs, mtimeMs } = statSync(a);
    writeFileSync(a, "2");
    utimesSync(a, atimeMs / 1000, mtimeMs / 1000);
  },
  "as old as another": () => utimesSync(a, OLD, OLD),
  longer: () => appendFileSync(a, "3"),
  "another file by that name": () => renameSync(b, a),
  "in the place of one that is gone": () => {
    rmSync(a);
    writeFileSync(a, "2");
  },
  "a link to another": () => {
    rmSync(a);
    symlinkSync(b, a);
  },
  gone: () => rmSync(a),
};

test("after any changes it is another stamp, or none", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...Object.keys(CHANGES)), { minLength: 1, maxLength: 3 }), async (names) => {
      for (const path of [a, b]) rmSync(path, { force: true });
      for (const path of [a, b]) writeFileSync(path, "1");
      const before = stampOf([a], later());
      expect(before).toBeDefined();
      await tick();
      for (const name of names) {
        if (statSync(a, { throwIfNoEntry: false }) === undefined || statSync(b, { throwIfNoEntry: false }) === undefined) break;
        CHANGES[name]?.();
      }
      expect(stampOf([a], later())).not.toBe(before);
    }),
    { numRuns: 25 },
  );
});

test("where the file system is none that says all at once there is no stamp", () => {
  // Its files never change, and are written in memory.
  expect(stampOf(["/proc/version"], later())).toBeUndefined();
  expect(stampOf([a, "/proc/version"], later())).toBeUndefined();
});

test("whole seconds are of a file system that counts nothing smaller, or of an image", () => {
  expect(isCoarse({ ctimeNs: 1_700_000_000_000_000_000n })).toBe(true);
  expect(isCoarse({ ctimeNs: 1_700_000_000_000_000_001n })).toBe(false);
});

test("what came with the image that the machine runs on has a stamp", () => {
  const ours = ["/bin/sh", process.execPath].map((path) => realpathSync(path));
  const old = ours.filter((path) => statSync(path).dev === statSync("/").dev && statSync(path).ctimeMs < Date.now() - 120_000);
  for (const path of old) expect(stampOf([path])).toBeDefined();
});

test("what was changed since something began has not rested", async () => {
  const began = Date.now() + 3_000;
  expect(restedSince([a, b], began)).toBe(true);
  expect(restedSince([a, b], Date.now())).toBe(false);
  expect(restedSince([a, join(folder, "nowhere")], began)).toBe(false);
  vi.useFakeTimers({ toFake: ["Date"], now: began });
  expect(stampOf([a])).toBeUndefined();
});
