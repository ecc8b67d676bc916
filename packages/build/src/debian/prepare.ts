/** One kernel of the archive, made ready in the cache. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { run, type Task } from "@suture/task";
import { fail } from "../errors.ts";
import type { Target, TargetInput } from "../target.ts";
import { readArchive } from "./archive.ts";
import { type CompleteKernel, findKernel } from "./archived-kernel.ts";
import { type Downloadable, getDebs } from "./download.ts";
import { makeGenerated } from "./generated.ts";
import { inKernel, kernelOfPath, kernelPath, kernelsDirectory, sourcePath } from "./layout.ts";
import type { Package } from "./packages.ts";
import { exists, makeOnce } from "./store.ts";
import { makeArguments, makeTree } from "./tree.ts";
import { unpackDeb, unpackSource } from "./unpack.ts";

const gzipped = promisify(gzip);

export interface PrepareOptions {
  cache: string;
  /** Of the image package, where a release has several. */
  version?: string | undefined;
}

/** What target.json holds: the target without paths, so that a cache can be moved. */
interface Description {
  release: string;
  version: string;
  make: string[];
  compiler: string;
  inputs: TargetInput[];
}

/**
 * The kernel with that release, ready to build for. If it is in the cache, nothing else is asked.
 * @throws KERNEL_NOT_FOUND, SOURCE_*, ARCHIVE_*, CACHE_*
 */
export async function prepareTarget(task: Task, release: string, options: PrepareOptions): Promise<Target> {
  const { cache, version } = options;
  const cached = (await cachedKernels(cache)).find((k) => k.release === release && (version === undefined || k.version === version));
  if (cached !== undefined) return openTarget(task, cached.path);
  const kernel = findKernel(await readArchive(task), release, version);
  if (kernel.compiler !== undefined) await checkCompiler(task, kernel.compiler);
  const path = kernelPath(cache, release, kernel.image.version);
  await makeOnce(task, cache, path, (beside) => makeKernel(task, cache, kernel, beside));
  return openTarget(task, path);
}

/** The kernels that are ready in the cache, the newest first. */
export async function cachedKernels(cache: string): Promise<{ release: string; version: string; path: string }[]> {
  const names = await readdir(kernelsDirectory(cache)).catch(() => []);
  return names
    .flatMap((name) => {
      const kernel = kernelOfPath(name);
      return kernel === undefined ? [] : [{ ...kernel, path: join(kernelsDirectory(cache), name) }];
    })
    .sort((a, b) => b.version.localeCompare(a.version, "en", { numeric: true }));
}

async function openTarget(task: Task, path: string): Promise<Target> {
  const file = inKernel.description(path);
  const { release, make, compiler, inputs } = JSON.parse(await readFile(file, "utf8")) as Description;
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
  const sourceTree = sourcePath(cache, source);
  const needed = (await exists(sourceTree)) ? parts : [...parts, source];
  const [image = "", headers = "", kbuild = "", sourceDeb] = await getDebs(task, cache, needed);
  const scratch = await mkdtemp(join(beside, "packages-"));
  const unpacked = { source: sourceTree, headers: join(scratch, "headers"), kbuild: join(scratch, "kbuild") };
  await task.stage("unpack", async (stage) => {
    await allOf([
      makeOnce(task, cache, sourceTree, async (directory) => {
        const deb = sourceDeb ?? (await getDebs(task, cache, [source]))[0] ?? "";
        await unpackSource(task, deb, directory);
      }),
      (async () => {
        await unpackDeb(task, headers, unpacked.headers);
        await unpackDeb(task, kbuild, unpacked.kbuild);
        await unpackDeb(task, image, inKernel.image(beside));
      })(),
    ]);
    stage.result(`${source.source.name} ${source.version}`);
  });
  await task.stage("tree", async (stage) => {
    if (!(await exists(inKernel.vmlinuz(beside, release))))
      throw fail("ARCHIVE_UNEXPECTED", `${kernel.image.name} ${kernel.image.version} has no boot/vmlinuz-${release}`, { file: image });
    const variables = await makeTree(task, inKernel.tree(beside), release, unpacked);
    const make = makeArguments(release, variables);
    const printed = await makeGenerated(task, inKernel.tree(beside), make, variables.compiler);
    await writeFile(inKernel.dryRun(beside), await gzipped(printed, { level: 1 }));
    const description: Description = {
      release,
      version: kernel.image.version,
      make,
      compiler: variables.compiler,
      inputs: [...parts, source].map(({ name, version, download }) => ({ kind: "package", name, version, sha256: download.sha256 })),
    };
    await writeFile(inKernel.description(beside), `${JSON.stringify(description, undefined, 2)}\n`);
    await rm(scratch, { recursive: true });
    stage.result(release);
  });
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
