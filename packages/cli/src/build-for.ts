/** Patch files and the name of a kernel → a livepatch. */
import { type BuildOptions, buildLivepatch, KernelContext, type Livepatch, readPatch } from "@suture/build";
import type { Task } from "@suture/task";
import { cacheDirectory, targetOf } from "./kernel-option.ts";

export async function buildFor(
  task: Task,
  files: readonly string[],
  release: string | undefined,
  options: Omit<BuildOptions, "patches">,
): Promise<Livepatch> {
  // A file that cannot be read should not cost the download of a kernel.
  const patches = await Promise.all(files.map(readPatch));
  const kernel = await KernelContext.open(task, await targetOf(task, release), cacheDirectory());
  try {
    return await buildLivepatch(task, kernel, { ...options, patches });
  } finally {
    kernel.close();
  }
}
