/** Which kernel is meant: one of the archive, or one that somebody built. */
import { release } from "node:os";
import { KernelContext } from "@suture/kbuild";
import { cacheRoot, chooseTarget, type Provider, type Target, treeProvider } from "@suture/sources";
import type { Task } from "@suture/task";
import type { Command } from "commander";
import { fail } from "./errors.ts";

export interface KernelOptions {
  kernel?: string;
  tree?: string;
  image?: string;
  modules?: string;
  make?: string[];
  moduleSource?: string;
  module?: string[];
}

export function addKernelOptions(
  command: Command,
  what = "a kernel of the archive, or installed with its tree, as `uname -r` says it; the running one unless given",
): Command {
  return command
    .option("--kernel <release>", what)
    .option("--tree <folder>", "instead: the prepared source tree of a kernel that was built by hand or by another distribution")
    .option("--image <file>", "with --tree: that kernel's vmlinuz; the one built in the tree unless given")
    .option("--modules <folder>", "with --tree: its lib/modules/RELEASE; the modules built in the tree unless given")
    .option("--make <variable>", "with --tree: NAME=VALUE, as make was given it to build the kernel; may be given again", several);
}

export const MODULE_SOURCE = [
  "--module-source <folder>",
  "work on modules outside of the kernel's tree: the folder with their Kbuild file or Makefile",
] as const;

/** Modules that are not of the kernel's own source. */
export function addModuleOptions(command: Command): Command {
  return command
    .option(...MODULE_SOURCE)
    .option("--module <file>", "with --module-source: the .ko file as it is loaded; may be given again", several, []);
}

/** @throws CLI_USAGE */
export function checkModuleOptions({ moduleSource, module: files = [] }: KernelOptions): void {
  if (moduleSource === undefined && files.length > 0) throw fail("CLI_USAGE", "--module belongs to --module-source");
  const other = files.find((file) => !isModuleFile(file));
  if (other !== undefined) throw fail("CLI_USAGE", `--module ${other} is no .ko file`);
}

export function several(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

export function cacheDirectory(): string {
  return cacheRoot(process.env);
}

/** @throws CLI_USAGE and what making a target throws */
export function targetOf(task: Task, { kernel, tree, image, modules, make }: KernelOptions): Promise<Target> {
  const cache = cacheDirectory();
  if (tree !== undefined) {
    if (kernel !== undefined) throw fail("CLI_USAGE", "--kernel and --tree name two kernels");
    return onlyTarget(task, treeProvider({ tree, image, modules, make, cache }));
  }
  const [alone] = Object.entries({ image, modules, make }).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (alone !== undefined) throw fail("CLI_USAGE", `--${alone} belongs to --tree`);
  return chooseTarget(task, kernel ?? release(), { cache });
}

/** Of a provider that has one kernel. */
async function onlyTarget(task: Task, provider: Provider): Promise<Target> {
  const [release = ""] = await provider.list(task);
  return provider.prepare(task, release);
}

/** The kernel, or the modules outside of its tree, with all that is known of it. Close it. */
export async function openKernel(task: Task, options: KernelOptions): Promise<KernelContext> {
  const { moduleSource, module: modules = [] } = options;
  const files = modules.filter(isModuleFile);
  if (moduleSource !== undefined && files.length === 0)
    throw fail("CLI_USAGE", "--module-source needs --module, the .ko file that is loaded");
  const kernel = await KernelContext.open(task, await targetOf(task, options), cacheDirectory());
  try {
    return moduleSource === undefined ? kernel : await kernel.outsideOf(task, moduleSource, files);
  } catch (error) {
    kernel.close();
    throw error;
  }
}

export function isModuleFile(word: string): boolean {
  return /\.ko(\.(xz|zst|gz))?$/.test(word);
}
