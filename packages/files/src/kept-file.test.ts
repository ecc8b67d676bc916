import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Reporter, silentReporter, Task } from "@suture/task";
import { folderOf } from "@suture/testkit/folders";
import * as v from "valibot";
import { expect, test } from "vitest";
import { keepJson, readKept } from "./kept-file.ts";

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
