/** With the machine's archive: a kernel is downloaded and made ready, in the cache that all end-to-end tests share. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { KernelConfig, parseSymvers } from "@suture/kernel";
import { type Reporter, run, silentReporter, Task } from "@suture/task";
import { folderOf } from "@suture/testkit/folders";
import { beforeAll, expect, test } from "vitest";
import { cacheRoot, debsDirectory } from "../cache/layout.ts";
import type { Target } from "../target.ts";
import { Archive, readArchive } from "./archive.ts";
import { findKernel } from "./archived-kernel.ts";
import { releaseChangelog } from "./changelog.ts";
import { type Downloadable, getDebs } from "./download.ts";
import { listKernels } from "./list.ts";
import { prepareTarget } from "./prepare.ts";
import { ownSource, type ReleaseSource, releaseSource } from "./release-source.ts";

const CACHE = cacheRoot(process.env);
/** Depends on the newest image of its flavour, in the distribution's own series. */
const META = "linux-image-cloud-amd64";

let release: string;
let target: Target;

/** A task that keeps the names of its stages. */
function recorded(): { task: Task; stages: string[] } {
  const stages: string[] = [];
  const reporter: Reporter = {
    ...silentReporter,
    begin: (name, depth) => {
      stages.push(name);
      return silentReporter.begin(name, depth);
    },
  };
  return { task: new Task(reporter), stages };
}

async function smallPackage(): Promise<Downloadable> {
  const { kbuild } = findKernel(await readArchive(new Task()), release, undefined);
  if (kbuild.download === undefined) throw new Error("the archive does not have it");
  return { ...kbuild, download: kbuild.download };
}

beforeAll(async () => {
  const { stdout } = await run(new Task(), ["apt-cache", "depends", META]);
  release = /Depends: linux-image-(\d\S+)/.exec(stdout)?.[1] ?? "";
  target = await prepareTarget(new Task(), release, { cache: CACHE });
});

test("the parts of the kernel are there and belong together", () => {
  expect(target.release).toBe(release);
  expect(existsSync(target.image)).toBe(true);
  expect(existsSync(join(target.modules ?? "", "kernel"))).toBe(true);
  expect(KernelConfig.parse(readFileSync(target.config, "utf8"), target.config).enabled("CONFIG_LIVEPATCH")).toBe(true);
  expect(parseSymvers(readFileSync(target.symvers, "utf8"), target.symvers)).toBeDefined();
  expect(readFileSync(join(target.tree, "include/generated/utsrelease.h"), "utf8")).toContain(`"${release}"`);
  expect(target.inputs.map((input) => input.name.replace(release, "R").replace(/-\d+\.\d+$/, "-S"))).toEqual([
    "linux-image-R",
    "linux-headers-R",
    "linux-kbuild-S",
    "linux-source-S",
  ]);
});

test("every package in the cache is the one that the archive's index describes", () => {
  const hashes = readdirSync(debsDirectory(CACHE))
    .filter((name) => name.endsWith(".deb"))
    .map((name) => ({ name, sha256: sha256(join(debsDirectory(CACHE), name)) }));
  for (const input of target.inputs) {
    const found = hashes.find(({ name }) => name.startsWith(`${input.name}_${input.version}_`));
    expect(found?.sha256, input.name).toBe(input.sha256);
  }
});

function sha256(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

test("asked for again, it is taken from the cache and nothing is asked", async () => {
  const { task, stages } = recorded();
  expect(await prepareTarget(task, release, { cache: CACHE })).toEqual(target);
  expect(stages).toEqual([]);
});

test("make knows how every object is compiled, and what it compiles from is there", () => {
  const printed = gunzipSync(readFileSync(target.dryRun ?? "")).toString();
  const sources = new Set([...printed.matchAll(/ -c -o \S+\.o (\S+\.c)\s/g)].map(([, source = ""]) => source));
  expect(sources.size).toBeGreaterThan(4000);
  const missing = [...sources].filter((source) => !existsSync(join(target.tree, source)));
  // The image of the vdso is made from objects.
  expect(missing.filter((source) => !/\/vdso-image-\w+\.c$/.test(source))).toEqual([]);
});

test("objects compile, with generated sources and without", () => {
  const folder = folderOf({});
  const printed = gunzipSync(readFileSync(target.dryRun ?? "")).toString();
  for (const object of ["fs/pipe.o", "crypto/asymmetric_keys/x509_cert_parser.o", "security/selinux/avc.o", "lib/crc32.o"]) {
    const [, command = ""] = new RegExp(`fixdep \\S+ ${object} '(.*?)(?:;|' > )`).exec(printed) ?? [];
    const written = command.replaceAll("'\\''", "'").replaceAll("$(pound)", "#").replaceAll("$$", "$");
    const out = join(folder, object.replaceAll("/", "_"));
    const compile = written.replace(/-Wp,-MMD,\S+/, "").replace(` -c -o ${object} `, ` -g0 -c -o ${out} `);
    execFileSync("sh", ["-c", compile], { cwd: target.tree });
    expect(readFileSync(out).subarray(0, 4).toString("latin1"), object).toBe("\x7fELF");
  }
});

test("a package that was damaged on disk is not trusted but downloaded anew", async () => {
  const cache = folderOf({});
  const p = await smallPackage();
  const [path = ""] = await getDebs(new Task(), cache, [p]);
  expect(sha256(path)).toBe(p.download.sha256);
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  const again = recorded();
  await getDebs(again.task, cache, [p]);
  expect(again.stages).toEqual(["download"]);
  expect(sha256(path)).toBe(p.download.sha256);
  const warm = recorded();
  await getDebs(warm.task, cache, [p]);
  expect(warm.stages).toEqual([]);
});

test("a package with another hash than the index gives is refused, and not kept", async () => {
  const cache = folderOf({});
  const p = await smallPackage();
  const other = { ...p, download: { ...p.download, sha256: "0".repeat(64) } };
  await expect(getDebs(new Task(), cache, [other])).rejects.toMatchObject({ code: "ARCHIVE_DAMAGED" });
  expect(readdirSync(debsDirectory(cache))).toEqual([]);
});

test.skipIf(process.getuid?.() !== 0)("a disk that fills up while a package is downloaded is told as such", async () => {
  const cache = join(folderOf({}), "cache");
  mkdirSync(cache);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=600k", "tmpfs", cache]);
  try {
    await expect(getDebs(new Task(), cache, [await smallPackage()])).rejects.toMatchObject({ code: "CACHE_FULL" });
    expect(readdirSync(debsDirectory(cache))).toEqual([]);
  } finally {
    execFileSync("umount", [cache]);
  }
});

test("what is not in the archive is refused by name", async () => {
  await expect(prepareTarget(new Task(), "0.0.1-none-amd64", { cache: CACHE })).rejects.toMatchObject({ code: "KERNEL_NOT_FOUND" });
});

test("the list has the kernel, with all that there is of it, and the running one", async () => {
  const list = await listKernels(new Task(), { cache: CACHE });
  expect(list.running.running).toBe(true);
  const found = list.archive.find((kernel) => kernel.release === release);
  expect(found).toMatchObject({ archived: true, source: true, headers: true, compiler: { name: target.compiler, installed: true } });
  expect(found?.cached?.bytes).toBeGreaterThan(1e9);
});

test("the changelog of a release is had of the smallest package that has it, and kept", async () => {
  const archive = await readArchive(new Task());
  const { source } = findKernel(archive, release, undefined);
  const file = (await releaseChangelog(new Task(), CACHE, archive, source)) ?? "";
  expect(gunzipSync(readFileSync(file)).toString("latin1", 0, 200)).toContain(`(${source.version})`);
  expect(await releaseChangelog(new Task(), CACHE, new Archive([]), source)).toBe(file);
});

test("sources that do not belong together are not held against each other", async () => {
  const own = ownSource(target, CACHE);
  const refused = async (base: ReleaseSource, wanted: string): Promise<unknown> =>
    releaseSource(new Task(), base, wanted, CACHE).catch((error: unknown) => error);
  const code = "KERNEL_NOT_FOUND";
  expect(await refused(own, release)).toMatchObject({ code, message: expect.stringMatching(/not newer/) });
  const other = { ...own, name: "linux-source-0.1" };
  expect(await refused(other, release)).toMatchObject({ code, message: expect.stringMatching(/two series/) });
  expect(await refused(own, "0.0.0-nothing")).toMatchObject({ code });
});
