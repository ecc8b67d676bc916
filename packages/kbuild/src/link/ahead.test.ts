import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { scratchRoot, silentReporter, Task } from "@suture/task";
import { folderOf } from "@suture/testkit/folders";
import { beforeEach, expect, test } from "vitest";
import { compilingAhead, keepForNext, type LinkPlace } from "./ahead.ts";
import type { Recipe } from "./recipe.ts";

/** Its object is the text, and what the module is called. */
const COMPILE =
  "echo >> runs; sed s/text/object/ @FOLDER@/suture_module_name.mod.c > @FOLDER@/suture_module_name.mod.o; echo suture_module_name >> @FOLDER@/suture_module_name.mod.o";

let tree: string;
let place: LinkPlace;
beforeEach(() => {
  tree = folderOf({ runs: "" });
  place = placeOf();
});

function placeOf(recipe: Partial<Recipe> = {}, release = "6.1"): LinkPlace {
  const target = { release, tree, make: ["CC=gcc"], inputs: [] } as unknown as LinkPlace["target"];
  return { target, recipe: { modpost: "modpost", compile: COMPILE, ...recipe } as Recipe, cache: join(tree, "cache") };
}
const runs = () => readFileSync(join(tree, "runs")).length;
const keptPath = () => join(tree, "cache/kbuild", readdirSync(join(tree, "cache/kbuild"))[0] ?? "");
const objectFor = (text: string, at = place, name = "one") =>
  compilingAhead(new Task(), at, name, async (ahead) => {
    const object = await ahead.objectOf(text);
    return object && Buffer.from(object).toString();
  });

test("nothing is compiled before a module was linked", async () => {
  expect(await objectFor("text 1")).toBeUndefined();
  expect(runs()).toBe(0);
});

test("the very text of the last module has its object, compiled in this run and for this name", async () => {
  await keepForNext(new Task(), place, "text 1");
  expect(await objectFor("text 1")).toBe("object 1one\n");
  expect(await objectFor("text 1", place, "two")).toBe("object 1two\n");
  expect(runs()).toBe(2);
});

test.each(["text 2", "text 1\n", " text 1", "text", ""])("another text has none: %j", async (text) => {
  await keepForNext(new Task(), place, "text 1");
  expect(await objectFor(text)).toBeUndefined();
});

test("bytes that are no UTF-8 are told apart", async () => {
  await keepForNext(new Task(), place, "text \xe9");
  expect(await objectFor("text \xe8")).toBeUndefined();
  expect(await objectFor("text \xe9")).toBeDefined();
});

test("a text is of one kernel, and of the very commands", async () => {
  await keepForNext(new Task(), place, "text 1");
  for (const other of [placeOf({}, "6.2"), placeOf({ modpost: "modpost -w" }), placeOf({ compile: `true; ${COMPILE}` })])
    expect(await objectFor("text 1", other)).toBeUndefined();
});

test.each(["", "te", "\0\0\0\0", "text 2"])("a kept text that is damaged, cut off or another's makes no difference: %j", async (text) => {
  await keepForNext(new Task(), place, "text 1");
  writeFileSync(keptPath(), text);
  expect(await objectFor("text 1")).toBeUndefined();
});

test("a compiler that fails, or writes nothing, is as if there were none", async () => {
  for (const compile of ["exit 1", "kill -9 $$", "true"]) {
    const at = placeOf({ compile });
    await keepForNext(new Task(), at, "text 1");
    expect(await objectFor("text 1", at)).toBeUndefined();
  }
});

test("what is not wanted is not waited for, told, or left behind", async () => {
  const at = placeOf({ compile: "echo @FOLDER@ > folder; sleep 600" });
  await keepForNext(new Task(), at, "text 1");
  const told: string[] = [];
  const task = new Task({ ...silentReporter, command: (line) => told.push(line), warn: (line) => told.push(line) });
  const given = compilingAhead(task, at, "one", async () => {
    while (!existsSync(join(tree, "folder"))) await new Promise((done) => setTimeout(done, 5));
    throw new Error("of the work");
  });
  await expect(given).rejects.toThrow("of the work");
  expect(told).toEqual([]);
  const folder = readFileSync(join(tree, "folder"), "utf8").trim();
  expect(folder.startsWith(scratchRoot())).toBe(true);
  expect(existsSync(folder)).toBe(false);
});

test("one that is cancelled ends what is compiled ahead", async () => {
  const at = placeOf({ compile: "echo >> runs; sleep 600" });
  await keepForNext(new Task(), at, "text 1");
  const stop = new AbortController();
  const given = compilingAhead(new Task(undefined, stop.signal), at, "one", async (ahead) => {
    while (runs() === 0) await new Promise((done) => setTimeout(done, 5));
    stop.abort();
    return ahead.objectOf("text 1");
  });
  expect(await given).toBeUndefined();
});
