/** The configuration of a kernel that is in the cache, installed, or runs. */
import { readFile } from "node:fs/promises";
import { release as runningRelease } from "node:os";
import { join } from "node:path";
import { gunzipWithin } from "@suture/files";
import { KernelConfig } from "@suture/kernel";
import { inKernel } from "./cache/layout.ts";
import { cachedKernels } from "./debian/cached.ts";
import { fail } from "./errors.ts";

/** Those of kernels have some 300 kB. */
const LARGEST = 2 ** 24;

export interface Configuration {
  config: KernelConfig;
  /** Where it was found. */
  file: string;
}

/** @returns undefined where it is nowhere on this machine. @throws KERNEL_BAD_CONFIG, SOURCE_CONFIG */
export async function configurationOf(release: string, cache: string): Promise<Configuration | undefined> {
  const cached = (await cachedKernels(cache)).filter((kernel) => kernel.release === release);
  const files = [
    ...cached.map(({ path }) => join(inKernel.tree(path), ".config")),
    `/boot/config-${release}`,
    `/lib/modules/${release}/config`,
    `/lib/modules/${release}/build/.config`,
    ...(release === runningRelease() ? ["/proc/config.gz"] : []),
  ];
  let unreadable: { file: string; error: unknown } | undefined;
  for (const file of files) {
    let bytes: Buffer;
    try {
      bytes = await readFile(file);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code !== "ENOENT" && code !== "ENOTDIR") unreadable ??= { file, error };
      continue;
    }
    return { config: KernelConfig.parse(Buffer.from(await textOf(file, bytes)).toString("utf8"), file), file };
  }
  if (unreadable !== undefined) {
    const { file, error } = unreadable;
    throw fail("SOURCE_CONFIG", error instanceof Error ? error.message : String(error), { file }, { cause: error });
  }
  return undefined;
}

async function textOf(file: string, bytes: Uint8Array): Promise<Uint8Array> {
  if (!file.endsWith(".gz")) return bytes;
  try {
    return await gunzipWithin(bytes, LARGEST);
  } catch (error) {
    throw fail("SOURCE_CONFIG", `it does not unpack within ${LARGEST} bytes`, { file }, { cause: error });
  }
}
