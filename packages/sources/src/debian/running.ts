/** The kernel that this machine runs. */
import { readFile } from "node:fs/promises";
import { release } from "node:os";

/** Of Debian's kernels: "Linux version RELEASE (...) #1 SMP PREEMPT_DYNAMIC Debian VERSION (DATE)". */
export function packageVersionOf(banner: string): string | undefined {
  return /\sDebian (\d\S*)(?: \(\d{4}-\d\d-\d\d\))?\s*$/.exec(banner)?.[1];
}

/** The version of the package of the running kernel, if that has this release and is Debian's. */
export async function runningVersion(wanted: string): Promise<string | undefined> {
  if (wanted !== release()) return undefined;
  return packageVersionOf(await readFile("/proc/version", "utf8").catch(() => ""));
}
