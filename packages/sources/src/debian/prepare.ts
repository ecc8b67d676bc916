/** One kernel of the archive, made ready in the cache. */
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { exists } from "@suture/files";
import type { TargetDescription, TargetInput } from "@suture/protocol";
import { run, type Task } from "@suture/task";
import { inKernel, kernelPath, sourcePath } from "../cache/layout.ts";
import { makeOnce, openCache } from "../cache/store.ts";
import { fail } from "../errors.ts";
import type { Target } from "../target.ts";
import { readArchive } from "./archive.ts";
import { type CompleteKernel, findKernel } from "./archived-kernel.ts";
import { cachedKernels, describe, measure } from "./cached.ts";
import { type Downloadable, getDebs } from "./download.ts";
import { applyFeatureset, getFeatureset } from "./featureset.ts";
import { makeGenerated } from "./generated.ts";
import type { Package } from "./packages.ts";
import { runningVersion } from "./running.ts";
import { completeTree, linkTree, makeArguments } from "./tree.ts";
import { unpackDeb, unpackSource } from "./unpack.ts";

const gzipped = promisify(gzip);

export interface PrepareOptions {
  cache: string;
  /** Of the image package, where a release has several: that of the kernel that runs, for its release; else the newest. */
  version?: string | undefined;
}

/**
 * The kernel with that release, ready to build for. If it is in the cache, nothing else is asked.
 * @throws KERNEL_NOT_FOUND, SOURCE_*, ARCHIVE_*, CACHE_*
 */
export async function prepareTarget(task: Task, release: string, options: PrepareOptions): Promise<Target> {
  const { cache } = options;
  await openCache(cache);
  const version = options.version ?? (await runningVersion(release));
  const cached = (await cachedKernels(cache)).find((k) => k.release === release && (version === undefined || k.version === version));
  if (cached !== undefined) return openTarget(task, cached.path);
  const kernel = findKernel(await readArchive(task), release, version);
  if (kernel.compiler !== undefined) await checkCompiler(task, kernel.compiler);
  const path = kernelPath(cache, release, kernel.image.version);
  await makeOnce(
    task,
    cache,
    path,
    (beside) => makeKernel(task, cache, kernel, beside),
    async (at) => (await describe(at)) !== undefined,
  );
  return openTarget(task, path);
}

async function openTarget(task: Task, path: string): Promise<Target> {
  const description = await describe(path);
  if (description === undefined) throw fail("SOURCE_TREE", "what says what it is has been removed or damaged meanwhile", { file: path });
  const { release, make, compiler, inputs } = description;
  await checkCompiler(task, compiler);
  const tree = inKernel.tree(path);
  const modules = inKernel.modules(path, release);
  return {
    release,
    image: inKernel.vmlinuz(path, release),
    modules: (await exists(modules)) ? modules : undefined,
    tree,
    make,
    dryRun: inKernel.dryRun(path),
    source: inputs.find(({ name }) => name.startsWith("linux-source-"))?.version,
    compiler,
    symvers: join(tree, "Module.symvers"),
    config: join(tree, ".config"),
    inputs,
  };
}

async function makeKernel(task: Task, cache: string, kernel: CompleteKernel, beside: string): Promise<void> {
  const { release } = kernel;
  const parts = [kernel.image, kernel.headers, kernel.kbuild].map(downloadable);
  const source = downloadable(kernel.source);
  const { featureset } = kernel;
  // First, because it is the one that may not be had, and small.
  const patches = featureset === undefined ? [] : [await getFeatureset(task, cache, source.source, featureset)];
  const sourceTree = sourcePath(cache, source);
  const needed = (await exists(sourceTree)) ? parts : [...parts, source];
  const [image = "", headers = "", kbuild = "", sourceDeb] = await getDebs(task, cache, needed);
  const scratch = await mkdtemp(join(beside, "packages-"));
  const unpacked = { headers: join(scratch, "headers"), kbuild: join(scratch, "kbuild") };
  await task.stage("unpack", async (stage) => {
    stage.note(`${source.source.name} ${source.version}`);
    await allOf([
      makeOnce(task, cache, sourceTree, async (directory) => {
        const deb = sourceDeb ?? (await getDebs(task, cache, [source]))[0] ?? "";
        await unpackSource(task, deb, directory);
      }),
      (async () => {
        await unpackDeb(task, headers, unpacked.headers);
        await unpackDeb(task, kbuild, unpacked.kbuild);
        await unpackDeb(task, image, inKernel.image(beside));
        await gatherModules(beside, release);
      })(),
    ]);
    stage.result(`${source.source.name} ${source.version}`);
  });
  await task.stage("tree", async (stage) => {
    if (!(await exists(inKernel.vmlinuz(beside, release))))
      throw fail("ARCHIVE_UNEXPECTED", `${kernel.image.name} ${kernel.image.version} has no boot/vmlinuz-${release}`, { file: image });
    const tree = inKernel.tree(beside);
    stage.note("linking the source");
    await linkTree(task, sourceTree, tree);
    if (featureset !== undefined) stage.note(`patches of ${featureset}`);
    if (featureset !== undefined) await applyFeatureset(task, cache, source.source, featureset, tree);
    const variables = await completeTree(tree, release, unpacked);
    const make = makeArguments(release, variables);
    stage.note("generating headers, and asking the kernel's build how each object is compiled");
    const printed = await makeGenerated(task, tree, make, variables.compiler);
    await writeFile(inKernel.dryRun(beside), await gzipped(printed, { level: 1 }));
    await rm(scratch, { recursive: true });
    const description: TargetDescription = {
      release,
      version: kernel.image.version,
      make,
      compiler: variables.compiler,
      inputs: [...[...parts, source].map(inputOf), ...patches],
      ...(await measure(task, sourceTree, beside)),
    };
    await writeFile(inKernel.description(beside), `${JSON.stringify(description, undefined, 2)}\n`);
    stage.result(release);
  });
}

/** As of Debian 13 packages have their modules in usr/lib, which lib is a link to on a machine. */
async function gatherModules(kernel: string, release: string): Promise<void> {
  const [there, to] = [inKernel.usrModules(kernel, release), inKernel.modules(kernel, release)];
  if ((await exists(to)) || !(await exists(there))) return;
  await mkdir(dirname(to), { recursive: true });
  await rename(there, to);
}

function inputOf({ name, version, download }: Downloadable): TargetInput {
  return { kind: "package", name, version, sha256: download.sha256 };
}

/** Waits for all, also when one of them failed: the others still work on the disk. */
async function allOf(work: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

function downloadable(p: Package): Downloadable {
  if (p.download === undefined)
    throw fail("KERNEL_NOT_FOUND", `the archive does not have ${p.name} ${p.version} any more`, { file: p.name });
  return { ...p, download: p.download };
}

/** @throws SOURCE_COMPILER_MISSING */
async function checkCompiler(task: Task, compiler: string): Promise<void> {
  try {
    await run(task, [compiler, "-dumpfullversion"]);
  } catch (error) {
    task.check();
    throw fail(
      "SOURCE_COMPILER_MISSING",
      `${compiler} is not installed`,
      { file: compiler },
      { mend: `apt-get install ${compiler}`, cause: error },
    );
  }
}
