/** A prepared tree, an image and its modules as a target. */
import { readdir, readFile, realpath, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Arch } from "@suture/arch";
import { exists, sha256OfFile } from "@suture/files";
import { KernelConfig, livepatchObstacles } from "@suture/kernel";
import type { Task } from "@suture/task";
import { treeFamily, treePath, treesDirectory } from "../cache/layout.ts";
import { makeOnce, openCache } from "../cache/store.ts";
import { DONE } from "../debian/tree.ts";
import { fail } from "../errors.ts";
import { processorOf } from "../processor.ts";
import type { Target } from "../target.ts";
import { compilerOf } from "./compiler.ts";
import { linkTree, listTree } from "./links.ts";
import { type PreparedTree, preparedTree } from "./prepared.ts";

export interface TreeOptions {
  tree: string;
  /** vmlinuz or vmlinux; the one that was built in the tree unless given. */
  image?: string | undefined;
  /** A folder with the .ko files: lib/modules/RELEASE; those that were built in the tree unless given. */
  modules?: string | undefined;
  /** Further words for make, as the kernel was built with: CC=gcc-12. */
  make?: readonly string[] | undefined;
  cache: string;
}

/** How many states of a tree are kept. */
const KEPT = 2;

/** @throws TREE_*, SOURCE_COMPILER_MISSING, CACHE_* */
export async function treeTarget(task: Task, options: TreeOptions): Promise<Target> {
  const { cache, tree: directory, make = [] } = options;
  const tree = await preparedTree(directory);
  await openCache(cache);
  const [obstacle] = livepatchObstacles(tree.config).filter(({ outcome, option }) => outcome === "bad" && !option.endsWith("=n"));
  if (obstacle !== undefined)
    throw fail(
      "KERNEL_NOT_PATCHABLE",
      `${tree.release} would need ${obstacle.option}: ${obstacle.why}`,
      { file: directory },
      { mend: `\`suture doctor --tree ${directory}\` lists all that is missing.` },
    );
  const arch = processorOf(tree.config, tree.release, directory);
  const variables = new Map(make.map(variableOf));
  if (variables.get("LLVM") !== undefined) throw fail("TREE_COMPILER", "LLVM is asked for", { file: directory });
  const compiler = await compilerOf(task, tree.config, variables.get("CC"), directory);
  const image = options.image ?? (await builtImage(tree, arch, directory));
  const modules = options.modules ?? ((await exists(join(tree.outputs, "modules.order"))) ? tree.outputs : undefined);
  const linked = await linkedTree(task, cache, tree, arch);
  const inputs = await Promise.all(
    [".config", "Module.symvers"].map(async (name) => ({
      kind: "tree" as const,
      name,
      sha256: await sha256OfFile(task, join(linked.path, name)),
    })),
  );
  return {
    release: tree.release,
    arch,
    image,
    modules,
    tree: linked.path,
    make: [
      "--no-print-directory",
      `ARCH=${arch.kbuild.arch}`,
      `KERNELRELEASE=${tree.release}`,
      `CC=${compiler}`,
      `HOSTCC=${compiler}`,
      ...make.filter((word) => variableOf(word)[0] !== "CC"),
      ...DONE.flatMap((target) => ["-o", target]),
    ],
    dryRun: undefined,
    source: undefined,
    compiler,
    linker: variables.get("LD") ?? "ld",
    symvers: join(linked.path, "Module.symvers"),
    config: join(linked.path, ".config"),
    otherOptions: await otherOptions(tree.config, image, tree.release),
    inputs,
  };
}

function variableOf(word: string): [name: string, value: string] {
  const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(word) ?? [];
  if (name === undefined || value === undefined) throw fail("TREE_MAKE", `"${word}" sets no variable of make's`);
  if (["O", "M", "ARCH", "KERNELRELEASE", "KBUILD_OUTPUT"].includes(name)) throw fail("TREE_MAKE", `${name} is what the tree says itself`);
  return [name, value];
}

async function builtImage(tree: PreparedTree, arch: Arch, directory: string): Promise<string> {
  const path = join(tree.outputs, arch.kbuild.image);
  if (!(await exists(path)))
    throw fail(
      "TREE_NO_IMAGE",
      "no image was given, and none was built in the tree",
      { file: directory },
      { mend: `Give the kernel's own with --image, as /boot/vmlinuz-${tree.release}.` },
    );
  return path;
}

/** Options that the configuration beside the image has otherwise: /boot/config-RELEASE. */
async function otherOptions(config: KernelConfig, image: string, release: string): Promise<string[]> {
  const file = join(image, "..", `config-${release}`);
  const text = await readFile(file, "utf8").catch(() => undefined);
  return text === undefined ? [] : config.differences(KernelConfig.parse(text, file));
}

/** The tree's links in the cache, made anew when something in it has changed. */
async function linkedTree(task: Task, cache: string, tree: PreparedTree, arch: Arch): Promise<{ path: string }> {
  const family = treeFamily(`${await realpath(tree.source)}\0${tree.outputs}`);
  const listing = await listTree(task, tree, arch);
  const path = treePath(cache, family, listing.state);
  if (await exists(path)) return { path };
  await task.stage("tree", async (stage) => {
    stage.note("linking to the tree");
    await makeOnce(task, cache, path, (beside) => linkTree(task, tree, arch, listing, beside));
    await removeOlder(cache, family);
    stage.result(`${tree.release}, ${listing.source.length + listing.outputs.length} files`);
  });
  return { path };
}

/** Removes links to older states of the tree, and to trees that are gone. */
async function removeOlder(cache: string, family: string): Promise<void> {
  const directory = treesDirectory(cache);
  const names = (await readdir(directory)).filter((name) => !name.endsWith(".unfinished"));
  const own: { path: string; at: number }[] = [];
  for (const name of names) {
    const path = join(directory, name);
    if (name.startsWith(`${family}-`)) own.push({ path, at: (await stat(path)).ctimeMs });
    else if (!(await exists(join(path, "Makefile")))) await rm(path, { recursive: true, force: true });
  }
  for (const { path } of own.sort((a, b) => b.at - a.at).slice(KEPT)) await rm(path, { recursive: true, force: true });
}
