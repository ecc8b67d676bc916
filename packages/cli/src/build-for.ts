/** Patch files, or sources that were written by hand, and the name of a kernel → a livepatch. */
import { type AuthoredOptions, type BuildOptions, buildAuthored, buildLivepatch, type Livepatch, readPatch } from "@suture/build";
import type { Task } from "@suture/task";
import { type KernelOptions, openKernel } from "./kernel-option.ts";

export async function buildFor(
  task: Task,
  files: readonly string[],
  of: KernelOptions,
  options: Omit<BuildOptions, "patches">,
): Promise<Livepatch> {
  // A file that cannot be read should not cost the download of a kernel.
  const patches = await Promise.all(files.map(readPatch));
  const kernel = await openKernel(task, of);
  try {
    return await buildLivepatch(task, kernel, { ...options, patches });
  } finally {
    kernel.close();
  }
}

export async function buildFrom(task: Task, of: KernelOptions, options: AuthoredOptions): Promise<Livepatch> {
  const kernel = await openKernel(task, of);
  try {
    return await buildAuthored(task, kernel, options);
  } finally {
    kernel.close();
  }
}
