/** With the machine's mirror: the compiler of a suite that this machine's apt need not know, unpacked and run by its own loader. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentReporter, Task } from "@suture/task";
import { codeOf, folderOf } from "@suture/testkit/folders";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cacheRoot, debPath, debsDirectory, inToolchain, toolchainsDirectory } from "../../cache/layout.ts";
import type { Apt } from "../apt.ts";
import { readArchive } from "../archive.ts";
import { archivedKernels } from "../archived-kernel.ts";
import { fetchLists } from "../suite-lists.ts";
import { suiteNamed } from "../suites.ts";
import { compilerVersions } from "./packages.ts";
import { checkLibraries, getToolchain, type Toolchain, toolVariables } from "./toolchain.ts";

const SHARED = cacheRoot(process.env);
let apt: Apt;
let compiler: string;
let version: string;
/** A cache that every user may read, in which it was made of packages that are there. */
let cache: string;
let made: Toolchain;

beforeAll(async () => {
  const suite = suiteNamed("trixie");
  if (suite === undefined) throw new Error("there is no such suite");
  apt = await fetchLists(new Task(), SHARED, suite);
  const [newest] = archivedKernels(await readArchive(new Task(), apt));
  compiler = newest?.compiler ?? "";
  [version = ""] = await compilerVersions(new Task(), apt, compiler);
  // Downloaded once.
  const { packages } = await getToolchain(new Task(), SHARED, [apt], compiler, version);
  cache = mkdtempSync(join(tmpdir(), "suture-test-"));
  mkdirSync(debsDirectory(cache));
  for (const p of packages) cpSync(debPath(SHARED, p), debPath(cache, p));
  made = await getToolchain(new Task(), cache, [apt], compiler, version);
  for (const path of [cache, toolchainsDirectory(cache)]) chmodSync(path, 0o755);
});

afterAll(() => rmSync(cache, { recursive: true, force: true }));

/** As a user who owns nothing of it. */
const asNobody = process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : ["env"];

test("it compiles, assembles and links objects as another user, with headers of its own", () => {
  const folder = folderOf({ "a.c": "#include <stddef.h>\nsize_t a(const char *s) { return s[0] + sizeof(max_align_t); }\n" });
  chmodSync(folder, 0o777);
  const program = (name: string): string => inToolchain.program(made.path, name);
  const [first = "", ...words] = [...asNobody, program(compiler)];
  execFileSync(first, [...words, "-O2", "-c", "-nostdinc", `-I${headers()}`, "a.c", "-o", "a.o"], { cwd: folder });
  execFileSync(first, [...words.slice(0, -1), program("ld"), "-r", "-o", "b.o", "a.o"], { cwd: folder });
  const comment = execFileSync(program("readelf"), ["-p", ".comment", "b.o"], { cwd: folder, encoding: "utf8" });
  expect(comment).toContain(`(Debian ${version})`);
});

function headers(): string {
  return execFileSync(inToolchain.program(made.path, compiler), ["-print-file-name=include"], { encoding: "utf8" }).trim();
}

test("it is kept by version, says what it was made from, and is found again without the archive", async () => {
  expect(readdirSync(toolchainsDirectory(cache))).toEqual([made.name]);
  expect(made).toMatchObject({ compiler, version });
  expect(made.packages.map(({ name }) => name)).toContain("libc6");
  expect(await getToolchain(new Task(), cache, [], compiler, version)).toEqual(made);
  for (const word of toolVariables(made)) expect(existsSync(word.slice(word.indexOf("=") + 1)), word).toBe(true);
});

test("another version than the kernel's is told", async () => {
  const warned: string[] = [];
  const task = new Task({ ...silentReporter, warn: (text) => warned.push(text) });
  expect((await getToolchain(task, cache, [apt], compiler, `${version}+none`)).version).toBe(version);
  expect(warned.join()).toContain(`${compiler} ${version}+none`);
});

test("a library that is missing is not taken from the machine", async () => {
  const [libraries = ""] = made.loader.libraries;
  const name = readdirSync(libraries).find((file) => file.startsWith("libz.so.")) ?? "";
  renameSync(join(libraries, name), join(cache, name));
  try {
    expect(await codeOf(() => checkLibraries(new Task(), made.path, compiler))).toBe("TOOLCHAIN_BROKEN");
  } finally {
    renameSync(join(cache, name), join(libraries, name));
  }
  await checkLibraries(new Task(), made.path, compiler);
});

test("lists that no key of Debian's vouches for are refused, and nothing of them is used", async () => {
  const folder = folderOf({});
  const dist = join(folder, "debian", "dists", "trixie");
  mkdirSync(dist, { recursive: true });
  const head = readFileSync(
    readdirSync(apt.lists)
      .map((name) => join(apt.lists, name))
      .find((path) => /_trixie_InRelease$/.test(path)) ?? "",
    "utf8",
  );
  // The signature is of another text.
  writeFileSync(join(dist, "InRelease"), head.replace(/^Origin: Debian$/m, "Origin: debian"));
  const mirror = `file:${folder}/debian/`;
  writeFileSync(
    join(folder, "apt-get"),
    `#!/bin/sh\ncase "$1" in indextargets) echo "${mirror}|trixie|Debian|/none" ;; *) exec /usr/bin/apt-get "$@" ;; esac\n`,
    { mode: 0o755 },
  );
  const { PATH } = process.env;
  process.env.PATH = `${folder}:${PATH}`;
  try {
    const suite = { name: "trixie", number: 13, namesNumber: true, main: ["trixie"], security: [] };
    expect(await codeOf(() => fetchLists(new Task(), join(folder, "cache"), suite))).toBe("ARCHIVE_UNVERIFIED");
    rmSync(join(dist, "InRelease"));
    expect(await codeOf(() => fetchLists(new Task(), join(folder, "cache"), suite))).toBe("ARCHIVE_SUITE");
  } finally {
    process.env.PATH = PATH;
  }
});
