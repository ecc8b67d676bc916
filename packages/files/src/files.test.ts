import { execFileSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Task } from "@suture/task";
import { folderOf } from "@suture/testkit/folders";
import { expect, onTestFinished, test } from "vitest";
import { sha256, sha256OfFile } from "./hash.ts";
import { findProgram, onPath } from "./programs.ts";
import { literally, shellWord } from "./quote.ts";

test("a file's hash is that of its bytes, as the system's own program says it", async () => {
  const text = "abc".repeat(1_000_000);
  const path = join(folderOf({ file: text }), "file");
  const said = execFileSync("sha256sum", [path], { encoding: "utf8" }).slice(0, 64);
  expect(sha256(text)).toBe(said);
  expect(sha256(Buffer.from(text).subarray(0, 5), text.slice(5))).toBe(said);
  expect(await sha256OfFile(new Task(), path)).toBe(said);
  const handle = await open(path, "r");
  expect(await sha256OfFile(new Task(), handle)).toBe(said);
  await handle.close();
});

test("the first on the PATH that can be run, then one elsewhere", async () => {
  const folder = folderOf({ "a/tool": "", "b/tool": "", "c/other": "" });
  const path = process.env.PATH;
  onTestFinished(() => {
    process.env.PATH = path;
  });
  process.env.PATH = `${folder}/none::${folder}/a:${folder}/b`;
  for (const name of ["b/tool", "c/other"]) chmodSync(join(folder, name), 0o755);
  expect(await findProgram("tool")).toBe(join(folder, "b/tool"));
  expect(await onPath("other")).toBe(false);
  expect(await findProgram("other", [join(folder, "c")])).toBe(join(folder, "c/other"));
});

test("a word comes out of the shell, and is found by a regular expression, as it was", () => {
  for (const word of ["", "a b", "it's", `"$HOME" \`id\` \\n`, "a.b*c+(d)[e]{2}|^$?"]) {
    expect(execFileSync("sh", ["-c", `printf %s ${shellWord(word)}`], { encoding: "utf8" })).toBe(word);
    expect(new RegExp(`^${literally(word)}$`).test(word)).toBe(true);
  }
  expect(new RegExp(literally("a.b")).test("axb")).toBe(false);
});
