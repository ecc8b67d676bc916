/** The kernels that are ready in the cache, and what is known of them. */
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { readKept } from "@suture/files";
import { compareVersions, type TargetDescription, targetSchema } from "@suture/protocol";
import { run, type Task } from "@suture/task";
import { inKernel, isKernelName, kernelsDirectory } from "../cache/layout.ts";
import { mortal } from "../cache/store.ts";

export interface CachedKernel extends TargetDescription {
  path: string;
  bytes: number;
}

/** Undefined where it is not there, or damaged: the kernel is then made ready anew. */
export function describe(path: string): Promise<TargetDescription | undefined> {
  return readKept(inKernel.description(path), targetSchema);
}

/** The newest first. */
export async function cachedKernels(cache: string): Promise<CachedKernel[]> {
  const names = (await readdir(kernelsDirectory(cache)).catch(() => [])).filter(isKernelName);
  const kernels = await Promise.all(
    names.map(async (name) => {
      const path = join(kernelsDirectory(cache), name);
      // Somebody may have begun to remove it.
      const found = await describe(path);
      return found === undefined ? [] : [{ ...found, path, bytes: found.sourceBytes + found.ownBytes }];
    }),
  );
  return kernels.flat().sort((a, b) => compareVersions(b.version, a.version));
}

/** Bytes on the disk: of the source, and of what the kernel has beside links to it. */
export async function measure(task: Task, source: string, kernel: string) {
  const { stdout } = await run(task, mortal("du", "--summarize", "--block-size=1", source, kernel));
  const [sourceBytes = 0, ownBytes = 0] = stdout.split("\n").map((line) => Number.parseInt(line, 10));
  return { source: basename(source), sourceBytes, ownBytes };
}
