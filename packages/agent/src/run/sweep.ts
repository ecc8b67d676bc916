/** What was fetched does not grow without end. */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Verified, VerifiedTarget } from "@suture/trust";

/** Of policy and withdrawals the files do not say their version: so many of the newest stay. */
const DOCUMENTS = 3;

/** Old versions of metadata, and livepatches that are not wanted any more. Every root stays: whoever is some behind follows them one by one. */
export async function sweepMirror(mirror: string, roles: Verified["expiries"], wanted: readonly VerifiedTarget[]): Promise<void> {
  const current = new Map(roles.map(({ role, version }) => [role, version]));
  for (const name of await names(join(mirror, "metadata"))) {
    const [, version, role = ""] = /^(\d+)\.([a-z0-9-]+)\.json$/.exec(name) ?? [];
    if (version === undefined || role === "root") continue;
    if (Number(version) !== current.get(role)) await rm(join(mirror, "metadata", name), { force: true });
  }
  const digests = new Set(wanted.map(({ sha256 }) => sha256));
  for (const line of await names(join(mirror, "targets/patches")))
    for (const name of await names(join(mirror, "targets/patches", line)))
      if (!digests.has(name.split(".")[0] ?? "")) await rm(join(mirror, "targets/patches", line, name), { force: true });
  for (const folder of ["targets/policy", "targets/withdrawal"]) {
    const files = await Promise.all(
      (await names(join(mirror, folder))).map(async (name) => ({ name, at: (await stat(join(mirror, folder, name))).mtimeMs })),
    );
    for (const { name } of files.sort((a, b) => b.at - a.at).slice(DOCUMENTS)) await rm(join(mirror, folder, name), { force: true });
  }
}

/** None if the folder is not there. */
async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
    throw error;
  });
}
