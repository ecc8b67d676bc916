/** The kernel that this machine runs. */
import { readFile } from "node:fs/promises";
import { release } from "node:os";
import { packageVersionOf } from "@suture/protocol";

/** The version of the package of the running kernel, if that has this release and is Debian's. */
export async function runningVersion(wanted: string): Promise<string | undefined> {
  if (wanted !== release()) return undefined;
  return packageVersionOf(await readFile("/proc/version", "utf8").catch(() => ""));
}
