/** The changelog of a release: each package that was built of its source has it. */
import { lstat, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Task } from "@suture/task";
import { changelogPath } from "../cache/layout.ts";
import { makeOnce } from "../cache/store.ts";
import type { Archive } from "./archive.ts";
import { type Downloadable, getDebs } from "./download.ts";
import type { Package } from "./packages.ts";
import { unpackDeb } from "./unpack.ts";

/** Some packages have a link to another's in its place; smaller ones only name others, and cannot have it. */
const TRIED = 4;
const SMALLEST = 100_000;
const NAMES = ["changelog.gz", "changelog.Debian.gz"];
const KEPT = "changelog.gz";

/** The file, packed; undefined if no package has one. @throws ARCHIVE_*, CACHE_* */
export async function releaseChangelog(task: Task, cache: string, archive: Archive, source: Package): Promise<string | undefined> {
  const path = changelogPath(cache, source);
  const file = join(path, KEPT);
  const make = async (folder: string): Promise<void> => {
    for (const p of smallest(archive, source)) {
      const [deb = ""] = await getDebs(task, cache, [p], archive.apt);
      const unpacked = join(folder, "package");
      await unpackDeb(task, deb, unpacked);
      for (const name of NAMES) {
        const file = join(unpacked, "usr/share/doc", p.name, name);
        if (await isFile(file)) await rename(file, join(folder, KEPT));
      }
      await rm(unpacked, { recursive: true });
      if (await isFile(join(folder, KEPT))) return;
    }
  };
  await makeOnce(task, cache, path, make, () => isFile(file));
  return (await isFile(file)) ? file : undefined;
}

/** Of that source, those that are quickest to have. */
function smallest(archive: Archive, source: Package): Downloadable[] {
  return archive
    .names()
    .flatMap((name) => archive.versions(name))
    .filter((p): p is Downloadable => p.download !== undefined && p.version === source.version && p.source.name === source.source.name)
    .filter(({ download }) => download.size >= SMALLEST)
    .sort((a, b) => a.download.size - b.download.size || (a.name < b.name ? -1 : 1))
    .slice(0, TRIED);
}

async function isFile(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isFile() === true;
}
