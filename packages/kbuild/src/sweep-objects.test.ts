import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { folderOf } from "@suture/testkit/folders";
import { expect, test } from "vitest";
import { sweepObjects } from "./sweep-objects.ts";

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
