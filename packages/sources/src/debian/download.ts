/** Packages into the cache, by apt, each held against the archive's own hash before it is trusted. */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { sha256OfFile, syncFolder } from "@suture/files";
import type { Task } from "@suture/task";
import { debPath, debsDirectory, unfinishedPath } from "../cache/layout.ts";
import { exclusively, inCache, removeUnfinished } from "../cache/store.ts";
import { fail } from "../errors.ts";
import { type Apt, aptSaid, MACHINE, runApt } from "./apt.ts";
import type { Package } from "./packages.ts";

/** Milliseconds between two looks at how far it is. */
const LOOK = 150;

/** A package with its place in the archive. */
export type Downloadable = Package & { download: NonNullable<Package["download"]> };

/**
 * The packages' files in the cache, in the given order. What is there already is hashed again.
 * @throws ARCHIVE_DOWNLOAD, ARCHIVE_DAMAGED, CACHE_FULL, CACHE_UNWRITABLE
 */
export async function getDebs(task: Task, cache: string, packages: readonly Downloadable[], apt: Apt = MACHINE): Promise<string[]> {
  const paths = packages.map((p) => debPath(cache, p));
  await inCache(cache, () =>
    exclusively(task, cache, join(debsDirectory(cache), "apt"), async () => {
      const directory = debsDirectory(cache);
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await removeUnfinished(join(directory, "apt"));
      const missing: Downloadable[] = [];
      for (const [i, p] of packages.entries()) {
        const path = paths[i] ?? "";
        if (await isPackage(task, path, p)) continue;
        await rm(path, { force: true });
        missing.push(p);
      }
      if (missing.length > 0) await download(task, cache, missing, apt);
    }),
  );
  return paths;
}

async function download(task: Task, cache: string, packages: readonly Downloadable[], apt: Apt): Promise<void> {
  const beside = unfinishedPath(join(debsDirectory(cache), "apt"), randomBytes(6).toString("hex"));
  const total = packages.reduce((sum, p) => sum + p.download.size, 0);
  await task.stage("download", async (stage) => {
    await mkdir(beside);
    const look = setInterval(() => {
      void sizeOf(beside).then((done) => stage.progress(done, total, "bytes"));
    }, LOOK);
    try {
      const names = packages.map((p) => `${p.name}:${p.architecture}=${p.version}`.replace(":all=", "="));
      try {
        await runApt(task, apt, "apt-get", ["--quiet", "--yes", "download", ...names], { cwd: beside });
      } catch (error) {
        task.check();
        throw fail("ARCHIVE_DOWNLOAD", aptSaid(error), { file: packages[0]?.name }, { cause: error });
      }
      clearInterval(look);
      stage.progress(total, total, "bytes");
      for (const p of packages) await adopt(task, cache, beside, p);
      await syncFolder(debsDirectory(cache));
      stage.result(`${packages.length} packages, ${Math.round(total / 1e6)} MB`);
    } finally {
      clearInterval(look);
      await rm(beside, { recursive: true, force: true });
    }
  });
}

/** Verifies a package that apt put into `beside` and gives it its name. */
async function adopt(task: Task, cache: string, beside: string, p: Downloadable): Promise<void> {
  // apt writes the epoch's colon as %3a.
  const name = (await readdir(beside)).find((file) => file.startsWith(`${p.name}_`) && file.endsWith(".deb"));
  if (name === undefined) throw fail("ARCHIVE_DOWNLOAD", `apt-get ended well but did not leave ${p.name} ${p.version}`, { file: p.name });
  const path = join(beside, name);
  if (!(await isPackage(task, path, p)))
    throw fail("ARCHIVE_DAMAGED", `the SHA-256 of what was downloaded is not ${p.download.sha256}, which the archive's index gives`, {
      file: name,
    });
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(path, debPath(cache, p));
}

async function isPackage(task: Task, path: string, p: Downloadable): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found?.size !== p.download.size) return false;
  return (await sha256OfFile(task, path)) === p.download.sha256;
}

async function sizeOf(directory: string): Promise<number> {
  let sum = 0;
  for (const entry of await readdir(directory, { recursive: true }).catch(() => []))
    sum += (await stat(join(directory, entry)).catch(() => undefined))?.size ?? 0;
  return sum;
}
