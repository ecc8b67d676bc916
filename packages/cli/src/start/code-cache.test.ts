import { appendFileSync, chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CodeCache } from "./code-cache.ts";

let home: string;
let program: string;
const code = Buffer.from("what V8 made");
const cacheOf = (word = "build") => CodeCache.of(program, word, { home, cache: undefined });
const folder = () => join(home, ".cache/suture/code");
const fileOf = () => join(folder(), readdirSync(folder())[0] ?? "");

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "suture-code-"));
  program = join(home, "program.cjs");
  writeFileSync(program, "1");
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

test("what was kept is there in the next run of the same word, and of no other", () => {
  expect(cacheOf()?.read()).toBeUndefined();
  cacheOf()?.write(code);
  expect(cacheOf()?.read()).toEqual(code);
  expect(cacheOf("status")?.read()).toBeUndefined();
  expect(cacheOf("../../x")?.read()).toBeUndefined();
});

test("another program of the same length is another", () => {
  cacheOf()?.write(code);
  writeFileSync(program, "2");
  expect(cacheOf()?.read()).toBeUndefined();
  cacheOf()?.write(code);
  expect(readdirSync(folder())).toHaveLength(1);
});

test.each([
  ["damaged", (file: string) => writeFileSync(file, readFileSync(file).fill(0, 45))],
  ["longer", (file: string) => appendFileSync(file, "x")],
  ["cut off", (file: string) => writeFileSync(file, readFileSync(file).subarray(0, 30))],
  ["empty", (file: string) => writeFileSync(file, "")],
  ["of whoever likes to write it", (file: string) => chmodSync(file, 0o666)],
  ["in a folder of such", (file: string) => chmodSync(join(file, ".."), 0o777)],
])("what is %s is not run", (_, change) => {
  cacheOf()?.write(code);
  change(fileOf());
  expect(cacheOf()?.read()).toBeUndefined();
});

test.each([undefined, "", "relative", "/nowhere"])("without a home of one's own nothing is kept: %j", (home) => {
  expect(CodeCache.of(program, "build", { home, cache: undefined })).toBeUndefined();
});

test("where nothing can be written nothing is said", () => {
  writeFileSync(join(home, ".cache"), "a file");
  cacheOf()?.write(code);
  expect(cacheOf()?.read()).toBeUndefined();
});
