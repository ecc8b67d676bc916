/** What can be built for: the kernel that runs, those that are installed, those of the archive; and what there is of each. */

import { release as runningRelease } from "node:os";
import { basename } from "node:path";
import { SutureError } from "@suture/errors";
import { onPath } from "@suture/files";
import { livepatchObstacles } from "@suture/kernel";
import { compareVersions } from "@suture/protocol";
import { run, type Task } from "@suture/task";
import { configurationOf } from "../configuration.ts";
import { runApt } from "./apt.ts";
import { type Archive, readArchive } from "./archive.ts";
import { type ArchivedKernel, archivedKernels } from "./archived-kernel.ts";
import { cachedKernels } from "./cached.ts";
import { machineArchive, otherSuites } from "./find.ts";
import { runningVersion } from "./running.ts";
import { fetchLists, hasLists, suiteApt } from "./suite-lists.ts";
import { SUITES, type Suite } from "./suites.ts";
import { cachedToolchains } from "./toolchain/toolchain.ts";

export interface ListedKernel {
  release: string;
  /** Of the image's package. Undefined for a kernel that is none of Debian's. */
  version: string | undefined;
  /** The suite that has it; undefined where none of Debian's has. */
  suite: string | undefined;
  running: boolean;
  installed: boolean;
  /** The archive has the image. */
  archived: boolean;
  /** It is ready in the cache; then nothing of the following is needed. Bytes with its source, which kernels of one source share. */
  cached: { bytes: number } | undefined;
  /** Options that keep it from being live-patched, as they should be; undefined where its configuration is not on this machine. */
  obstacles: string[] | undefined;
  /** The archive has the source that the image was built from, exactly. */
  source: boolean;
  /** The archive has the headers and build tools. */
  headers: boolean;
  /** Patches on top of the source, which only Debian's source package has. */
  featureset: string | undefined;
  /** What it was built with, as far as the headers tell. */
  compiler: ListedCompiler | undefined;
}

export interface ListedCompiler {
  name: string;
  installed: boolean;
  /** The versions of it that are in the cache: where it is not installed, one is fetched. */
  cached: string[];
}

export interface KernelList {
  running: ListedKernel;
  /** Newest first, as are the others. */
  installed: ListedKernel[];
  archive: ListedKernel[];
  cache: { path: string; bytes: number };
  /** apt's package lists. */
  lists: {
    /** Of the newest: a time, as ISO 8601 has it. */
    published: string | undefined;
    /** That they are old, or why there are none, with what to type. */
    note: string | undefined;
    refusal: SutureError | undefined;
    /** Those of suites that the machine's apt does not know. */
    suites: SuiteLists[];
  };
}

export interface SuiteLists {
  suite: string;
  published: string | undefined;
  note: string | undefined;
  /** Why they could not be read: none of its kernels is listed. */
  refusal: SutureError | undefined;
}

export interface ListOptions {
  cache: string;
  /** What of Debian's is to be listed besides what the machine's apt knows: lists that are not in the cache are fetched. */
  suites?: readonly Suite[];
}

/** Without apt or its lists: those that are installed or ready in the cache. */
export async function listKernels(task: Task, { cache, suites = [] }: ListOptions): Promise<KernelList> {
  const [{ archive, refusal }, installed, cached] = await task.together([machineArchive, installedImages, () => cachedKernels(cache)]);
  const others = await suiteArchives(task, cache, await otherSuites(task, suites));
  const suiteOf = await machineSuiteOf(task, archive);
  const known = [
    ...archivedKernels(archive).map((kernel) => ({ ...kernel, suite: suiteOf(kernel.image.name, kernel.image.version) })),
    ...others.flatMap(({ suite, archive: of }) =>
      of === undefined ? [] : archivedKernels(of).map((kernel) => ({ ...kernel, suite: suite.name })),
    ),
  ];
  const toolchains = await cachedToolchains(cache);
  const programs = new Map<string, boolean>();
  for (const { compiler } of [...known, ...cached]) {
    const name = compiler === undefined ? undefined : basename(compiler);
    if (name !== undefined && !programs.has(name)) programs.set(name, await onPath(name));
  }
  const running = runningRelease();
  const version = await runningVersion(running);
  const isRunning = (release: string, ofVersion: string | undefined): boolean =>
    release === running && (version === undefined || version === ofVersion);
  const cachedAs = (release: string, ofVersion: string | undefined): ListedKernel["cached"] => {
    const found = cached.find((k) => k.release === release && k.version === ofVersion);
    return found === undefined ? undefined : { bytes: found.bytes };
  };
  const obstacles = await obstaclesOf([...[...known, ...installed, ...cached].map((kernel) => kernel.release), running], cache);
  const list = (
    release: string,
    ofVersion: string | undefined,
    kernel: (ArchivedKernel & { suite: string | undefined }) | undefined,
  ): ListedKernel => ({
    release,
    version: ofVersion,
    suite: kernel?.suite,
    running: isRunning(release, ofVersion),
    installed: installed.some((image) => image.release === release && image.version === ofVersion),
    archived: kernel?.image.download !== undefined,
    cached: cachedAs(release, ofVersion),
    obstacles: obstacles.get(release),
    source: kernel?.source !== undefined,
    headers: kernel?.headers !== undefined && kernel.kbuild !== undefined,
    featureset: kernel?.featureset,
    compiler: compilerAs(kernel?.compiler ?? cached.find((k) => k.release === release && k.version === ofVersion)?.compiler),
  });
  const compilerAs = (program: string | undefined): ListedKernel["compiler"] => {
    if (program === undefined) return undefined;
    const name = basename(program);
    const versions = toolchains.filter(({ compiler }) => compiler === name).map(({ version }) => version);
    return { name, installed: programs.get(name) ?? false, cached: versions };
  };
  // What is ready stays usable when the lists do not have it any more, or not yet.
  const only = cached.filter((k) => !known.some(({ release, image }) => release === k.release && image.version === k.version));
  const all = [
    ...known.map((kernel) => list(kernel.release, kernel.image.version, kernel)),
    ...only.map((k) => list(k.release, k.version, undefined)),
  ].sort((a, b) => compareVersions(b.version ?? "", a.version ?? "") || compareVersions(b.release, a.release));
  const bySource = new Map(cached.map((k) => [k.source, k.sourceBytes]));
  const bytes = [...bySource.values(), ...cached.map((k) => k.ownBytes)].reduce((sum, n) => sum + n, 0);
  return {
    running: all.find((k) => k.running) ?? list(running, version, undefined),
    installed: installed.map(
      (i) => all.find((k) => k.release === i.release && k.version === i.version) ?? list(i.release, i.version, undefined),
    ),
    archive: all.filter((k) => k.archived || k.cached !== undefined),
    cache: { path: cache, bytes },
    lists: {
      published: archive.published?.toISOString(),
      note: refusal === undefined ? archive.note : `${refusal.message}. ${refusal.mend}`,
      refusal,
      suites: others.map(({ suite, archive: of, refusal: why }) => ({
        suite: suite.name,
        published: of?.published?.toISOString(),
        note: why === undefined ? of?.note : `${why.message}. ${why.mend}`,
        refusal: why,
      })),
    },
  };
}

interface SuiteArchive {
  suite: Suite;
  archive: Archive | undefined;
  refusal: SutureError | undefined;
}

/** Where the lists of one could not be fetched, the mirror is not asked for those of the next. */
async function suiteArchives(task: Task, cache: string, suites: readonly Suite[]): Promise<SuiteArchive[]> {
  const found: SuiteArchive[] = [];
  let refusal: SutureError | undefined;
  for (const suite of suites) {
    try {
      if (refusal !== undefined && !(await hasLists(cache, suite))) throw refusal;
      const apt = refusal === undefined ? await fetchLists(task, cache, suite) : suiteApt(cache, suite);
      found.push({ suite, archive: await readArchive(task, apt), refusal: undefined });
    } catch (error) {
      task.check();
      if (!(error instanceof SutureError) || !error.code.startsWith("ARCHIVE_")) throw error;
      refusal ??= error;
      found.push({ suite, archive: undefined, refusal });
    }
  }
  return found;
}

/** Of the machine's lists, which suite has a version of a package. */
async function machineSuiteOf(task: Task, archive: Archive): Promise<(name: string, version: string) => string | undefined> {
  const names = archive.names().filter((name) => name.startsWith("linux-image-"));
  const { stdout } = names.length === 0 ? { stdout: "" } : await runApt(task, archive.apt, "apt-cache", ["madison", ...names]);
  return suitesIn(stdout);
}

/** In what `apt-cache madison` prints: `NAME | VERSION | MIRROR SUITE/COMPONENT ARCHITECTURE Packages`. */
export function suitesIn(printed: string): (name: string, version: string) => string | undefined {
  const found = new Map<string, string>();
  for (const line of printed.split("\n")) {
    const [name = "", version = "", from = ""] = line.split("|").map((word) => word.trim());
    const [, part = ""] = /^\S+ ([^\s/]+)\//.exec(from) ?? [];
    const suite = SUITES.find(({ main, security }) => main.includes(part) || security.includes(part));
    if (suite !== undefined) found.set(`${name} ${version}`, suite.name);
  }
  return (name, version) => found.get(`${name} ${version}`);
}

async function obstaclesOf(releases: readonly string[], cache: string): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const release of new Set(releases)) {
    const config = (await configurationOf(release, cache))?.config;
    if (config === undefined) continue;
    const bad = livepatchObstacles(config).filter(({ outcome }) => outcome === "bad");
    found.set(
      release,
      bad.map(({ option }) => option),
    );
  }
  return found;
}

/** Packages of images that dpkg has unpacked. */
async function installedImages(task: Task): Promise<{ release: string; version: string }[]> {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is dpkg's template
  const format = "${db:Status-Status} ${Package} ${Version}\\n";
  // 1: there is none of that name.
  const { stdout } = await run(task, ["dpkg-query", "--show", `--showformat=${format}`, "linux-image-*"], { accept: [1] });
  return stdout.split("\n").flatMap((line) => {
    const match = /^installed linux-image-(\d+\.\d+\.\d\S*?)(?:-unsigned)? (\S+)$/.exec(line);
    return match?.[1] === undefined || match[2] === undefined ? [] : [{ release: match[1], version: match[2] }];
  });
}
