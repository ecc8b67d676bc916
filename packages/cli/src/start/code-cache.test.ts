import { appendFileSync, chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CodeCache } from "./code-cache.ts";

let home: string;
let program: string;
const code = Buffer.from("what V8 made");
const cacheOf = (word = "build", path = program) => CodeCache.of({ path, text: readFileSync(program) }, word, { home, cache: undefined });
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

test("a program of the same length and times, as an image may have it, is another", () => {
  utimesSync(program, 1, 1);
  cacheOf()?.write(code);
  writeFileSync(program, "2");
  utimesSync(program, 1, 1);
  expect(cacheOf()?.read()).toBeUndefined();
  // The very text, written anew, is the same.
  writeFileSync(program, "1");
  expect(cacheOf()?.read()).toEqual(code);
});

const age = (file: string, days: number) => utimesSync(file, Date.now() / 1000 - days * 86_400, Date.now() / 1000 - days * 86_400);

test("what an interrupted run left does not keep others from writing, and goes", () => {
  for (const name of [`build-x.${process.pid}`, ".unfinished-1", ".unfinished-2"]) {
    cacheOf("status")?.write(code);
    writeFileSync(join(folder(), name), "");
  }
  age(join(folder(), ".unfinished-1"), 2);
  cacheOf()?.write(code);
  expect(cacheOf()?.read()).toEqual(code);
  expect(readdirSync(folder())).toContain(".unfinished-2");
  expect(readdirSync(folder())).not.toContain(".unfinished-1");
});

test("what was not used for a month goes when another is written; what is used stays", () => {
  for (const word of ["a", "b", "c"]) cacheOf(word)?.write(code);
  const named = (word: string) => join(folder(), readdirSync(folder()).find((name) => name.startsWith(`${word}-`)) ?? "none");
  for (const word of ["a", "b"]) age(named(word), 31);
  expect(cacheOf("a")?.read()).toEqual(code);
  expect(Date.now() - statSync(named("a")).mtimeMs).toBeLessThan(86_400_000);
  cacheOf("d")?.write(code);
  expect(
    readdirSync(folder())
      .map((name) => name[0])
      .sort(),
  ).toEqual(["a", "c", "d"]);
});

test("of too many bytes the oldest go, not what was just written", () => {
  const large = Buffer.alloc(50 * 2 ** 20);
  for (const [at, word] of ["a", "b", "c"].entries()) {
    cacheOf(word)?.write(large);
    for (const name of readdirSync(folder())) if (name.startsWith(`${word}-`)) age(join(folder(), name), 3 - at);
  }
  expect(cacheOf("a")?.read()).toBeUndefined();
  expect(cacheOf("b")?.read()).toBeDefined();
  expect(cacheOf("c")?.read()).toBeDefined();
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
  expect(CodeCache.of({ path: program, text: Buffer.from("1") }, "build", { home, cache: undefined })).toBeUndefined();
});

test("where nothing can be written nothing is said", () => {
  writeFileSync(join(home, ".cache"), "a file");
  cacheOf()?.write(code);
  expect(cacheOf()?.read()).toBeUndefined();
});
