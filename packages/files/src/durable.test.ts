import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { folderOf } from "@suture/testkit/folders";
import { expect, test } from "vitest";
import { writeDurably } from "./atomic.ts";
import { removeDurably, removeEmptyFolder } from "./durable.ts";

test("several writers of one process do not write into each other's files", async () => {
  const root = folderOf({});
  const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(100_000));
  await Promise.all(texts.map((text, i) => writeDurably(join(root, String(i % 4)), text)));
  expect(readdirSync(root)).toEqual(["0", "1", "2", "3"]);
  for (const [i, name] of readdirSync(root).entries())
    expect(texts.filter((_, at) => at % 4 === i)).toContain(readFileSync(join(root, name), "utf8"));
});

test("a write that fails leaves nothing", async () => {
  const root = folderOf({});
  mkdirSync(join(root, "x/inside"), { recursive: true });
  await expect(writeDurably(join(root, "x"), "text")).rejects.toThrow("EISDIR");
  expect(readdirSync(root)).toEqual(["x"]);
  expect(await removeEmptyFolder(join(root, "x"))).toBe(false);
  await removeDurably(join(root, "x"));
  expect(await removeEmptyFolder(join(root, "x"))).toBe(true);
  expect(readdirSync(root)).toEqual([]);
});

test("what goes wrong is told of the file that was asked for", async () => {
  const root = folderOf({});
  const path = join(root, "nowhere/x");
  await expect(writeDurably(path, "text")).rejects.toThrow(`ENOENT: no such file or directory, open '${path}'`);
});
