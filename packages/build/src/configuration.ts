/** The configuration of a kernel that is in the cache, installed, or runs. */
import { readFile } from "node:fs/promises";
import { release as runningRelease } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { KernelConfig } from "@suture/kernel";
import { cachedKernels } from "./debian/cached.ts";
import { inKernel } from "./debian/layout.ts";

const unzip = promisify(gunzip);

export interface Configuration {
  config: KernelConfig;
  /** Where it was found. */
  file: string;
}

/** @returns undefined where it is nowhere on this machine. @throws KERNEL_BAD_CONFIG */
export async function configurationOf(release: string, cache: string): Promise<Configuration | undefined> {
  const cached = (await cachedKernels(cache)).filter((kernel) => kernel.release === release);
  const files = [
    ...cached.map(({ path }) => join(inKernel.tree(path), ".config")),
    `/boot/config-${release}`,
    `/lib/modules/${release}/config`,
    `/lib/modules/${release}/build/.config`,
    ...(release === runningRelease() ? ["/proc/config.gz"] : []),
  ];
  for (const file of files) {
    const bytes = await readFile(file).catch(() => undefined);
    if (bytes === undefined) continue;
    const text = (file.endsWith(".gz") ? await unzip(bytes) : bytes).toString("utf8");
    return { config: KernelConfig.parse(text, file), file };
  }
  return undefined;
}
