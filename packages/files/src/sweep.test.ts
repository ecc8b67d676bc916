import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Task } from "@suture/task";
import { folderOf } from "@suture/testkit/folders";
import fc from "fast-check";
import * as v from "valibot";
import { expect, test } from "vitest";
import { keepJson, readKept } from "./kept-file.ts";
import { markUsed, sweepKept } from "./sweep.ts";

const DAY = 86_400;
const now = Math.floor(Date.now() / 1000);
const age = (path: string, days: number) => utimesSync(path, now - days * DAY, now - days * DAY);
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "swept")
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();

test("what was not used for a month goes, then the oldest beyond the bound, once a day", async () => {
  const folder = folderOf({ "aa/new.o": "12345678", "aa/older.o": "12345678", "bb/old.o": "1", "x.json": "1234" });
  age(join(folder, "aa/new.o"), 0);
  age(join(folder, "aa/older.o"), 3);
  age(join(folder, "bb/old.o"), 31);
  age(join(folder, "x.json"), 1);
  await sweepKept(folder, { now: now * 1000, mostBytes: 12 });
  expect(filesIn(folder)).toEqual(["aa/new.o", "x.json"]);
  expect(readdirSync(folder).sort()).toEqual(["aa", "swept", "x.json"]);
  await sweepKept(folder, { now: (now + DAY - 1) * 1000, mostBytes: 0 });
  expect(filesIn(folder)).toHaveLength(2);
  await sweepKept(folder, { now: (now + DAY + 1) * 1000, mostBytes: 0 });
  expect(filesIn(folder)).toEqual([]);
  await sweepKept(join(folder, "none"), { mostBytes: 0 });
});

test("for any ages and sizes: the newest within the bound stay", async () => {
  const one = fc.record({ days: fc.integer({ min: -3, max: 60 }), size: fc.nat(20) });
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(one, { selector: ({ days }) => days, maxLength: 12 }), fc.nat(60), async (files, mostBytes) => {
      const folder = folderOf({});
      try {
        for (const [at, { days, size }] of files.entries()) {
          const path = join(folder, at % 2 === 0 ? `g${at}/f` : `f${at}`);
          mkdirSync(dirname(path), { recursive: true });
          writeFileSync(path, "x".repeat(size));
          age(path, days);
        }
        const expected: string[] = [];
        let sum = 0;
        for (const { days, size } of [...files].sort((a, b) => a.days - b.days)) {
          sum += size;
          const at = files.findIndex((file) => file.days === days);
          if (sum <= mostBytes && days <= 30) expected.push(at % 2 === 0 ? `g${at}/f` : `f${at}`);
        }
        await sweepKept(folder, { now: now * 1000, mostBytes });
        expect(filesIn(folder)).toEqual(expected.sort());
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }),
    { numRuns: 40 },
  );
});

test("a write that goes on is let be, one that was interrupted goes", async () => {
  const folder = folderOf({ "g/.partial-1": "1", "g/.partial-2": "1", ".partial-3": "1" });
  for (const name of ["g/.partial-2", ".partial-3"]) age(join(folder, name), 0.1);
  await sweepKept(folder, { now: now * 1000, mostBytes: 0 });
  expect(filesIn(folder)).toEqual(["g/.partial-1"]);
});

test("nothing is removed through a link, nor deeper than the folders of the folder", async () => {
  const other = folderOf({ x: "1", "d/y": "1" });
  const folder = folderOf({ "a/b/deep": "1" });
  symlinkSync(join(other, "x"), join(folder, "x"));
  symlinkSync(join(other, "d"), join(folder, "d"));
  for (const path of [join(other, "x"), join(other, "d/y"), join(folder, "a/b/deep")]) age(path, 100);
  await sweepKept(folder, { now: now * 1000, mostBytes: 0 });
  for (const path of [join(other, "x"), join(other, "d/y"), join(folder, "a/b/deep")]) expect(existsSync(path), path).toBe(true);
});

test("a clock that was put back does not keep all for ever", async () => {
  const folder = folderOf({ old: "1", swept: "" });
  age(join(folder, "swept"), -400);
  age(join(folder, "old"), 100);
  await sweepKept(folder, { now: now * 1000, mostBytes: 100 });
  expect(filesIn(folder)).toEqual([]);
});

test("what is read counts as used", async () => {
  const folder = folderOf({});
  const path = join(folder, "kept.json");
  await keepJson(new Task(), path, 1);
  age(path, 29);
  await readKept(path, v.number());
  expect(now - statSync(path).mtimeMs / 1000).toBeLessThan(DAY);
  age(path, -10);
  markUsed(path);
  expect(statSync(path).mtimeMs / 1000 - now).toBeLessThan(DAY);
  markUsed(join(folder, "nowhere"));
});

test("who reads while it is swept has all or nothing", async () => {
  const folder = folderOf({});
  const path = join(folder, "kept.json");
  const value = "x".repeat(100_000);
  for (let i = 0; i < 20; i++) {
    await keepJson(new Task(), path, value);
    age(path, 40);
    const [read] = await Promise.all([readKept(path, v.string()), sweepKept(folder, { now: (now + 2 * i * DAY) * 1000, mostBytes: 0 })]);
    expect([undefined, value]).toContain(read);
    if (existsSync(path)) expect(readFileSync(path, "utf8")).toBe(JSON.stringify(value));
  }
});
