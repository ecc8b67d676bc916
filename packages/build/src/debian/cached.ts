/** The kernels that are ready in the cache, and what is known of them. */
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { run, type Task } from "@suture/task";
import type { TargetInput } from "../target.ts";
import { inKernel, isKernelName, kernelsDirectory } from "./layout.ts";
import { mortal } from "./store.ts";

/** What target.json holds: the target without paths, so that a cache can be moved. */
export interface Description {
  release: string;
  version: string;
  make: string[];
  compiler: string;
  inputs: TargetInput[];
  /** The directory of sources/ that the tree has its files from, and the bytes of both on the disk, links counted for the source. */
  source: string;
  sourceBytes: number;
  ownBytes: number;
}

export interface CachedKernel extends Description {
  path: string;
  bytes: number;
}

export async function describe(path: string): Promise<Description> {
  return JSON.parse(await readFile(inKernel.description(path), "utf8")) as Description;
}

/** The newest first. */
export async function cachedKernels(cache: string): Promise<CachedKernel[]> {
  const names = (await readdir(kernelsDirectory(cache)).catch(() => [])).filter(isKernelName);
  const kernels = await Promise.all(
    names.map(async (name) => {
      const path = join(kernelsDirectory(cache), name);
      // Somebody may have begun to remove it.
      const found = await describe(path).catch(() => undefined);
      return found === undefined ? [] : [{ ...found, path, bytes: found.sourceBytes + found.ownBytes }];
    }),
  );
  return kernels.flat().sort((a, b) => b.version.localeCompare(a.version, "en", { numeric: true }));
}

/** Bytes on the disk: of the source, and of what the kernel has beside links to it. */
export async function measure(task: Task, source: string, kernel: string) {
  const { stdout } = await run(task, mortal("du", "--summarize", "--block-size=1", source, kernel));
  const [sourceBytes = 0, ownBytes = 0] = stdout.split("\n").map((line) => Number.parseInt(line, 10));
  return { source: basename(source), sourceBytes, ownBytes };
}
