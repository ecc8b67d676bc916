import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { checkWritable, writeWhole } from "./write-file.ts";

const folder = mkdtempSync(join(tmpdir(), "suture-write-"));
afterAll(() => rmSync(folder, { recursive: true }));
const bytes = Buffer.from("all of it");

test("a pipe or a device is written to, and stays what it is", async () => {
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  const link = join(folder, "to-pipe");
  symlinkSync("pipe", link);
  for (const path of [pipe, link]) {
    await checkWritable(path);
    const [read] = await Promise.all([readFile(pipe), writeWhole(path, bytes)]);
    expect(read).toEqual(bytes);
  }
  expect(lstatSync(pipe).isFIFO()).toBe(true);
  expect(readlinkSync(link)).toBe("pipe");
});

test("a link stays, and what it leads to is replaced", async () => {
  mkdirSync(join(folder, "there"));
  const file = join(folder, "there", "old.ko");
  writeFileSync(file, "old");
  const link = join(folder, "link.ko");
  symlinkSync("there/old.ko", link);
  await writeWhole(link, bytes);
  expect(readlinkSync(link)).toBe("there/old.ko");
  expect(readFileSync(file)).toEqual(bytes);
  expect(readdirSync(join(folder, "there"))).toEqual(["old.ko"]);
});

test("what cannot be written is told by the name that was asked for, before the work and after it", async () => {
  const path = join(folder, "nowhere", "x.ko");
  const refusal = { code: "CLI_FILE", where: { file: path }, message: expect.not.stringContaining(".partial") };
  await expect(writeWhole(path, bytes)).rejects.toMatchObject(refusal);
  await expect(checkWritable(path)).rejects.toMatchObject(refusal);
  await expect(checkWritable(folder)).rejects.toMatchObject({ code: "CLI_FILE", message: expect.stringContaining("is a directory") });
  await checkWritable(join(folder, "new.ko"));
});
