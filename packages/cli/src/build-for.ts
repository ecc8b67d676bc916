/** What a person names, patch files, sources that were written by hand, an older livepatch, and a kernel → a livepatch. */
import { type BuildOptions, buildLivepatch, type Livepatch, readPatch, readSources, readUpon } from "@suture/build";
import type { Task } from "@suture/task";
import { type KernelOptions, openKernel } from "./kernel-option.ts";

interface Named {
  patches: readonly string[];
  from?: readonly string[] | undefined;
  upon?: string | undefined;
}

export async function buildFor(
  task: Task,
  named: Named,
  of: KernelOptions,
  options: Omit<BuildOptions, "patches" | "sources" | "upon">,
): Promise<Livepatch> {
  // A file that cannot be read should not cost the download of a kernel.
  const [patches, sources, upon] = await Promise.all([
    Promise.all(named.patches.map(readPatch)),
    readSources(named.from ?? []),
    named.upon === undefined ? undefined : readUpon(named.upon),
  ]);
  const kernel = await openKernel(task, of);
  try {
    return await buildLivepatch(task, kernel, { ...options, patches, sources, upon });
  } finally {
    kernel.close();
  }
}
