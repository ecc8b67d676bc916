import { readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { keepJson, readKept } from "@suture/files";
import { type Reporter, silentReporter, Task } from "@suture/task";
import { folderOf } from "@suture/testkit/folders";
import * as v from "valibot";
import { expect, test } from "vitest";
import { sweepObjects } from "./sweep-objects.ts";

const schema = v.array(v.tuple([v.string(), v.number()]));

test("what is kept is read back; what is damaged counts as not there", async () => {
  const folder = folderOf({});
  const path = join(folder, "kbuild/x.json");
  await keepJson(new Task(), path, [["a", 1]]);
  expect(readdirSync(join(folder, "kbuild"))).toEqual(["x.json"]);
  expect(await readKept(path, schema)).toEqual([["a", 1]]);
  for (const text of ["", "[[", '[["a",1]', "\0\0\0\0", "null", '[["a"]]', '[["a","1"]]', '{"a":1}', "5"]) {
    writeFileSync(path, text);
    expect(await readKept(path, schema), text).toBeUndefined();
  }
  expect(await readKept(join(folder, "none"), schema)).toBeUndefined();
});

test("what cannot be kept is said, and costs only time", async () => {
  const said: string[] = [];
  const reporter: Reporter = { ...silentReporter, warn: (text) => said.push(text) };
  await keepJson(new Task(reporter), join(folderOf({ file: "" }), "file/x.json"), 1);
  expect(said).toEqual([expect.stringContaining("could not be kept")]);
});

test("objects that were not used for a month go, then the oldest beyond the bound, once a day", async () => {
  const folder = folderOf({ "aa/new.o": "12345678", "aa/older.o": "12345678", "bb/old.o": "1", "cc/x.o": "1234" });
  const day = 86_400;
  const now = Math.floor(Date.now() / 1000);
  utimesSync(join(folder, "aa/new.o"), now, now);
  utimesSync(join(folder, "aa/older.o"), now - 3 * day, now - 3 * day);
  utimesSync(join(folder, "bb/old.o"), now - 31 * day, now - 31 * day);
  utimesSync(join(folder, "cc/x.o"), now - day, now - day);
  await sweepObjects(folder, { now: now * 1000, mostBytes: 12 });
  const left = (): string[] =>
    readdirSync(folder, { recursive: true })
      .map(String)
      .filter((name) => name.endsWith(".o"))
      .sort();
  expect(left()).toEqual(["aa/new.o", "cc/x.o"]);
  expect(readdirSync(folder).sort()).toEqual(["aa", "cc", "swept"]);
  await sweepObjects(folder, { now: (now + day - 1) * 1000, mostBytes: 0 });
  expect(left()).toHaveLength(2);
  await sweepObjects(folder, { now: (now + day + 1) * 1000, mostBytes: 0 });
  expect(left()).toEqual([]);
  await sweepObjects(join(folder, "none"));
});
