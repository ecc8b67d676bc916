/** One kernel of the archive, made ready in the cache. */
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { exists, onPath } from "@suture/files";
import { KernelConfig } from "@suture/kernel";
import type { TargetDescription, TargetInput } from "@suture/protocol";
import type { Task } from "@suture/task";
import { inKernel, inToolchain, kernelPath, sourcePath, toolchainPath } from "../cache/layout.ts";
import { makeOnce, openCache } from "../cache/store.ts";
import { fail } from "../errors.ts";
import { processorOf } from "../processor.ts";
import type { Target } from "../target.ts";
import type { Apt } from "./apt.ts";
import type { CompleteKernel } from "./archived-kernel.ts";
import { cachedKernels, describe, measure } from "./cached.ts";
import { type Downloadable, getDebs } from "./download.ts";
import { applyFeatureset, getFeatureset } from "./featureset.ts";
import { compilerArchives, findArchived } from "./find.ts";
import { makeGenerated } from "./generated.ts";
import { hostCompiler, runsBuildPrograms, suitsHost } from "./host-compiler.ts";
import type { Package } from "./packages.ts";
import { runningVersion } from "./running.ts";
import { getToolchain, openToolchain, packageVersion, type Toolchain, toolVariables } from "./toolchain/toolchain.ts";
import { completeTree, headersPath, linkTree, makeArguments, type Tools } from "./tree.ts";
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
  const cached = (await cachedKernels(cache)).filter((k) => k.release === release && (version === undefined || k.version === version));
  for (const { path } of cached) if (await isUsable(cache, path)) return openTarget(path);
  const { kernel, archive } = await findArchived(task, cache, release, version);
  const compiler = (await suitsHost(task, kernel)) ? undefined : kernel.compiler;
  const path = kernelPath(cache, release, kernel.image.version, compiler);
  await makeOnce(
    task,
    cache,
    path,
    (beside) => makeKernel(task, cache, archive.apt, kernel, compiler, beside),
    (at) => isUsable(cache, at),
  );
  return openTarget(path);
}

/** Whether all that it was made with is still there. */
async function isUsable(cache: string, path: string): Promise<boolean> {
  const description = await describe(path);
  if (description === undefined) return false;
  const { toolchain, compiler } = description;
  if (toolchain === undefined) return onPath(compiler);
  // Programs in the tree name its place.
  return toolchain.path === toolchainPath(cache, toolchain.name) && (await openToolchain(cache, toolchain.name)) !== undefined;
}

async function openTarget(path: string): Promise<Target> {
  const description = await describe(path);
  if (description === undefined) throw fail("SOURCE_TREE", "what says what it is has been removed or damaged meanwhile", { file: path });
  const { release, make, compiler, linker = "ld", inputs } = description;
  const tree = inKernel.tree(path);
  const config = join(tree, ".config");
  const modules = inKernel.modules(path, release);
  return {
    release,
    arch: processorOf(KernelConfig.parse(await readFile(config, "utf8"), config), release, config),
    image: inKernel.vmlinuz(path, release),
    modules: (await exists(modules)) ? modules : undefined,
    tree,
    make,
    dryRun: inKernel.dryRun(path),
    source: inputs.find(({ name }) => name.startsWith("linux-source-"))?.version,
    compiler,
    linker,
    symvers: join(tree, "Module.symvers"),
    config,
    inputs,
  };
}

/** @param compiler where it is not the machine's */
async function makeKernel(
  task: Task,
  cache: string,
  apt: Apt,
  kernel: CompleteKernel,
  compiler: string | undefined,
  beside: string,
): Promise<void> {
  const { release } = kernel;
  const parts = [...kernel.files, kernel.headers, kernel.kbuild].map(downloadable);
  const source = downloadable(kernel.source);
  const { featureset } = kernel;
  // First, because it is the one that may not be had, and small.
  const patches = featureset === undefined ? [] : [await getFeatureset(task, cache, apt, source.source, featureset)];
  const sourceTree = sourcePath(cache, source);
  const needed = (await exists(sourceTree)) ? parts : [...parts, source];
  const debs = await getDebs(task, cache, needed, apt);
  const images = debs.slice(0, kernel.files.length);
  const [headers = "", kbuild = "", sourceDeb] = debs.slice(kernel.files.length);
  const scratch = await mkdtemp(join(beside, "packages-"));
  const unpacked = { headers: join(scratch, "headers"), kbuild: join(scratch, "kbuild") };
  await task.stage("unpack", async (stage) => {
    stage.note(`${source.source.name} ${source.version}`);
    await allOf([
      makeOnce(task, cache, sourceTree, async (directory) => {
        const deb = sourceDeb ?? (await getDebs(task, cache, [source], apt))[0] ?? "";
        await unpackSource(task, deb, directory);
      }),
      (async () => {
        await unpackDeb(task, headers, unpacked.headers);
        await unpackDeb(task, kbuild, unpacked.kbuild);
        for (const image of images) await unpackDeb(task, image, inKernel.image(beside));
        await gatherImage(beside, release);
      })(),
    ]);
    stage.result(`${source.source.name} ${source.version}`);
  });
  const toolchain = compiler === undefined ? undefined : await toolchainOf(task, cache, apt, compiler, headersPath(unpacked, release));
  await task.stage("tree", async (stage) => {
    if (!(await exists(inKernel.vmlinuz(beside, release))))
      throw fail("ARCHIVE_UNEXPECTED", `${kernel.image.name} ${kernel.image.version} has no vmlinuz-${release}`, { file: images[0] });
    const tree = inKernel.tree(beside);
    stage.note("linking the source");
    await linkTree(task, sourceTree, tree);
    if (featureset !== undefined) stage.note(`patches of ${featureset}`);
    if (featureset !== undefined) await applyFeatureset(task, cache, source.source, featureset, tree);
    const variables = await completeTree(tree, release, unpacked, (await runsBuildPrograms(task, kernel)) ? undefined : toolchain?.loader);
    const tools = toolchain === undefined ? await hostTools(variables.compiler) : await toolsOf(toolchain);
    const make = makeArguments(release, variables.arch, tools);
    stage.note("generating headers, and asking the kernel's build how each object is compiled");
    const printed = await makeGenerated(task, tree, make, tools.host);
    await writeFile(inKernel.dryRun(beside), await gzipped(printed, { level: 1 }));
    await rm(scratch, { recursive: true });
    const description: TargetDescription = {
      release,
      version: kernel.image.version,
      make,
      compiler: toolchain === undefined ? variables.compiler : inToolchain.program(toolchain.path, toolchain.compiler),
      ...(toolchain === undefined
        ? {}
        : {
            linker: inToolchain.program(toolchain.path, "ld"),
            toolchain: { name: toolchain.name, path: toolchain.path, version: toolchain.version },
          }),
      inputs: [...[...parts, source].map(inputOf), ...patches],
      ...(await measure(task, sourceTree, beside)),
    };
    await writeFile(inKernel.description(beside), `${JSON.stringify(description, undefined, 2)}\n`);
    stage.result(release);
  });
}

/**
 * As of Debian 13 packages have their modules in usr/lib, which lib is a link to on a machine, and since 6.19 the image is there, too, which the
 * installation copies to boot.
 */
async function gatherImage(kernel: string, release: string): Promise<void> {
  const moved = [
    [inKernel.usrModules(kernel, release), inKernel.modules(kernel, release)],
    [join(inKernel.modules(kernel, release), "vmlinuz"), inKernel.vmlinuz(kernel, release)],
  ] as const;
  for (const [there, to] of moved) {
    if ((await exists(to)) || !(await exists(there))) continue;
    await mkdir(dirname(to), { recursive: true });
    await rename(there, to);
  }
}

/** The compiler that the headers' configuration names. */
async function toolchainOf(task: Task, cache: string, apt: Apt, compiler: string, headers: string): Promise<Toolchain> {
  const file = join(headers, ".config");
  const config = KernelConfig.parse(await readFile(file, "utf8"), file);
  const wanted = packageVersion(config.get("CONFIG_CC_VERSION_TEXT") ?? "");
  return getToolchain(task, cache, await compilerArchives(task, cache, apt), compiler, wanted);
}

/** @throws SOURCE_COMPILER_MISSING */
async function hostTools(compiler: string): Promise<Tools> {
  if (!(await onPath(compiler)))
    throw fail("SOURCE_COMPILER_MISSING", `${compiler} is not installed`, { file: compiler }, { mend: `apt-get install ${compiler}` });
  return { kernel: [`CC=${compiler}`], host: compiler };
}

async function toolsOf(toolchain: Toolchain): Promise<Tools> {
  return { kernel: toolVariables(toolchain), host: await hostCompiler() };
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
