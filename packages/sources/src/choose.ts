/**
 * The provider of a release: a kernel whose own tree is installed with it (make modules_install links it from /lib/modules/RELEASE/build) is
 * built for in that tree, all others with the packages of the archive.
 */
import { join } from "node:path";
import { exists } from "@suture/files";
import { livepatchObstacles } from "@suture/kernel";
import type { Task } from "@suture/task";
import type { PrepareOptions } from "./debian/prepare.ts";
import { debianProvider } from "./debian/provider.ts";
import { fail } from "./errors.ts";
import type { Provider } from "./provider.ts";
import type { Target } from "./target.ts";
import { treeProvider } from "./tree/provider.ts";

export async function providerOf(release: string, options: PrepareOptions): Promise<Provider> {
  const own = await installedTree(release);
  return own === undefined ? debianProvider(options) : treeProvider({ ...own, cache: options.cache });
}

/** @throws KERNEL_NOT_PATCHABLE, KERNEL_NOT_FOUND, SOURCE_*, ARCHIVE_*, TREE_*, CACHE_* */
export async function chooseTarget(task: Task, release: string, options: PrepareOptions): Promise<Target> {
  // Of one that is installed, whose ever it is: nothing is downloaded for a kernel that cannot be patched.
  const known = await debianProvider(options).configuration(release);
  const [obstacle] = known === undefined ? [] : livepatchObstacles(known.config).filter(({ outcome }) => outcome === "bad");
  if (known !== undefined && obstacle !== undefined)
    throw fail(
      "KERNEL_NOT_PATCHABLE",
      `${release} would need ${obstacle.option}: ${obstacle.why}`,
      { file: known.file },
      { mend: `\`suture doctor --kernel ${release}\` lists all that is missing.` },
    );
  return (await providerOf(release, options)).prepare(task, release);
}

/** @param root of the file system. @returns undefined where what is installed is a headers package, or nothing */
export async function installedTree(release: string, root = "/"): Promise<{ tree: string; image: string; modules: string } | undefined> {
  const modules = join(root, "lib", "modules", release);
  const tree = join(modules, "build");
  // Beside a folder of outputs, the source is linked to.
  const sources = [join(tree, "kernel/livepatch/core.c"), join(tree, "source/kernel/livepatch/core.c")];
  const found = await Promise.all(sources.map(exists));
  if (!found.includes(true)) return undefined;
  return { tree, image: join(root, "boot", `vmlinuz-${release}`), modules };
}
