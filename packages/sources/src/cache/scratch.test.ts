import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { oddIn } from "@suture/files";
import { inputsOf } from "@suture/kbuild";
import { run, Task } from "@suture/task";
import { codeOf, folderOf } from "@suture/testkit/folders";
import { afterEach, expect, test } from "vitest";
import { cacheRoot } from "./layout.ts";
import { inScratch } from "./scratch.ts";
import { openCache } from "./store.ts";

const kept = { TMPDIR: process.env.TMPDIR, XDG_CACHE_HOME: process.env.XDG_CACHE_HOME, HOME: process.env.HOME };
afterEach(() => {
  for (const [name, value] of Object.entries(kept))
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
});

const ODD = [
  "a b",
  "a'b",
  'a"b',
  "a$HOME",
  "a`id`",
  "a,b",
  "a:b",
  "a;b",
  "a#b",
  "a%b",
  "a=b",
  "a\\b",
  "a\nb",
  "a*b",
  "a&b",
  "a(b)",
  "a|b",
  "a<b",
];

test("paths that make, the shell and gcc take as they are, are told from others", () => {
  for (const name of ["a", "größe", "日本", "6.1.0-56~deb12u1", "a_b+c@d"]) expect(oddIn(`/x/${name}`)).toBeUndefined();
  for (const name of ODD) expect(oddIn(`/x/${name}`), name).toBeDefined();
});

test.each(ODD)("with a TMPDIR named %j the folder of the cache is worked in", async (name) => {
  const folder = folderOf({});
  process.env.TMPDIR = join(folder, name);
  process.env.XDG_CACHE_HOME = join(folder, "cache-ü");
  mkdirSync(process.env.TMPDIR);
  const used = await inScratch("x", async (scratch) => {
    await run(new Task(), ["sh", "-c", `echo x >${scratch}/file`]);
    expect(existsSync(join(scratch, "file"))).toBe(true);
    return scratch;
  });
  expect(used.startsWith(join(folder, "cache-ü/suture/scratch/"))).toBe(true);
  expect(existsSync(used)).toBe(false);
  expect(readdirSync(process.env.TMPDIR)).toEqual([]);
});

test("where neither can be worked in, or there is none, it is refused by name", async () => {
  const folder = folderOf({});
  mkdirSync(join(folder, "a b"));
  process.env.TMPDIR = join(folder, "a b");
  process.env.XDG_CACHE_HOME = join(folder, "a b");
  expect(await codeOf(() => inScratch("x", async () => 1))).toBe("SCRATCH_PATH");
  expect(await codeOf(() => openCache(cacheRoot(process.env)))).toBe("CACHE_PATH");
  process.env.TMPDIR = join(folder, "none");
  expect(await codeOf(() => inScratch("x", async () => 1))).toBe("SCRATCH_UNWRITABLE");
  process.env.TMPDIR = "/proc";
  expect(await codeOf(() => inScratch("x", async () => 1))).toBe("SCRATCH_UNWRITABLE");
});

test("a full disk is told as that, whether we or a program met it", async () => {
  const program = (task: Task) => run(task, ["sh", "-c", "cat /etc/passwd >/dev/full"]);
  expect(await codeOf(() => inScratch("x", () => program(new Task())))).toBe("SCRATCH_FULL");
  expect(await codeOf(() => inScratch("x", async () => writeFileSync("/dev/full", "x")))).toBe("SCRATCH_FULL");
  const other = (task: Task) => run(task, ["sh", "-c", "echo 'puts(\"No space left on device\");' >&2; exit 1"]);
  expect(await codeOf(() => inScratch("x", () => other(new Task())))).toBe("COMMAND_FAILED");
});

test("a cache where no directory can be is refused at once", async () => {
  process.env.HOME = "/proc";
  delete process.env.XDG_CACHE_HOME;
  expect(cacheRoot(process.env)).toBe("/proc/.cache/suture");
  expect(await codeOf(() => openCache(cacheRoot(process.env)))).toBe("CACHE_UNWRITABLE");
  const folder = folderOf({ file: "" });
  expect(await codeOf(() => openCache(join(folder, "file")))).toBe("CACHE_UNWRITABLE");
  expect(await codeOf(() => openCache(join(folder, "file/below")))).toBe("CACHE_UNWRITABLE");
  await openCache(join(folder, "new/below"));
  expect(existsSync(join(folder, "new/below"))).toBe(true);
});

test("without HOME the cache is in the home directory that the system knows", () => {
  for (const home of [undefined, "", "relative"]) {
    if (home === undefined) delete process.env.HOME;
    else process.env.HOME = home;
    const known = spawnSync("getent", ["passwd", String(process.getuid?.())], { encoding: "utf8" }).stdout.split(":")[5];
    expect(cacheRoot({})).toBe(`${known}/.cache/suture`);
  }
});

test("what gcc lists for make is read back, with spaces and dollars", () => {
  const folder = folderOf({ "a b/x $y #z.h": "", "main.c": '#include "x $y #z.h"\n' });
  const depfile = spawnSync("gcc", ["-M", "-I", join(folder, "a b"), join(folder, "main.c")], { encoding: "utf8" }).stdout;
  if (depfile === "") throw new Error("there is no gcc");
  expect(inputsOf(depfile).map((path) => path.replace(folder, ""))).toEqual(expect.arrayContaining(["/main.c", "/a b/x $y #z.h"]));
});
