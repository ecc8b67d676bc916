import { appendFileSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { folderOf } from "@suture/testkit/folders";
import { expect, test } from "vitest";
import { stampOf } from "./stamp.ts";

test("a stamp is there once a file has rested, and another after each change of it", async () => {
  const folder = folderOf({ a: "1", b: "1", c: "2" });
  const [a, b, c] = ["a", "b", "c"].map((name) => join(folder, name)) as [string, string, string];
  expect(stampOf([a])).toBeUndefined();
  expect(stampOf([join(folder, "nowhere")])).toBeUndefined();
  // As old as one likes to say, it was still changed just now.
  utimesSync(a, 1, 1);
  expect(stampOf([a])).toBeUndefined();
  await setTimeout(2_100);
  const before = [stampOf([a]), stampOf([b]), stampOf([a, b])];
  expect(new Set(before).size).toBe(3);
  expect(before).not.toContain(undefined);
  expect(stampOf([a, b])).toBe(before[2]);
  // Of the same size, and with its old time.
  writeFileSync(a, "2");
  utimesSync(a, 1, 1);
  renameSync(c, b);
  expect([stampOf([a]), stampOf([b])]).toEqual([undefined, undefined]);
  appendFileSync(a, "3");
  await setTimeout(2_100);
  const after = [stampOf([a]), stampOf([b])];
  for (const one of after) expect([...before, undefined]).not.toContain(one);
});
