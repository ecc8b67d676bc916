/** A verified repository into a folder that machines read meanwhile. */
import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { exists, makeFolderDurably, PARTIAL, removeDurably, sha256, writeDurably } from "@suture/files";
import type { Task } from "@suture/task";
import { fetchTarget } from "../client/target.ts";
import { fail } from "../errors.ts";
import { LIMITS, metadataPath, targetFilePath } from "../roles.ts";
import { folderSource } from "../source/folder.ts";
import type { Source } from "../source/source.ts";
import { readWhole, type Whole } from "./whole.ts";

/**
 * What is published there; undefined if nothing is. When it expires does not matter.
 * @param root that it begins with
 */
export async function publishedAt(task: Task, source: Source, root: Uint8Array): Promise<Whole | undefined> {
  const timestamp = await source.read(task, metadataPath("timestamp"), LIMITS.timestamp);
  return timestamp === undefined ? undefined : readWhole(task, source, root, undefined);
}

/** The same of a folder. @param root where the folder does not have the first one */
export async function publishedIn(task: Task, folder: string, root?: Uint8Array): Promise<Whole | undefined> {
  const source = folderSource(folder);
  const first = root ?? (await firstRoot(folder));
  if (first !== undefined) return publishedAt(task, source, first);
  if (await exists(join(folder, metadataPath("timestamp"))))
    throw fail("TRUST_MISSING", "it has a timestamp, and no root", { file: folder });
  return undefined;
}

/** The oldest root that a folder has. */
export async function firstRoot(folder: string): Promise<Buffer | undefined> {
  const names = await readdir(join(folder, "metadata")).catch(() => []);
  const versions = names.flatMap((name) => /^(\d+)\.root\.json$/.exec(name)?.[1] ?? []).map(Number);
  return versions.length === 0 ? undefined : readFile(join(folder, metadataPath("root", Math.min(...versions))));
}

/**
 * Each file is whole or not there, and what names others comes after them: files, metadata, snapshot, then timestamp, at which moment machines see it, and the roots.
 * A new root comes last, since the timestamp bears the signatures of both: a machine that has not seen it goes by the old keys, one that has by the new ones.
 * @returns how many files were written
 */
export async function spread(task: Task, whole: Whole, source: Source, folder: string): Promise<number> {
  await sweep(folder);
  let written = 0;
  for (const target of whole.targets) {
    task.check();
    const file = join(folder, targetFilePath(target.path, target.sha256));
    if (await isThere(file, target.length, target.sha256)) continue;
    await put(file, await fetchTarget(task, target, [source]));
    written++;
  }
  for (const [path, bytes] of whole.metadata) {
    task.check();
    const file = join(folder, path);
    const there = await readFile(file).catch(() => undefined);
    if (there?.equals(bytes)) continue;
    if (there !== undefined && path !== metadataPath("timestamp") && !(await isStale(task, folder, path)))
      throw fail("TRUST_OLDER", "another one is published under this version", { file });
    await put(file, bytes);
    written++;
  }
  return written;
}

/** A version that nothing names yet: what wrote it was ended before its timestamp was there. */
async function isStale(task: Task, folder: string, path: string): Promise<boolean> {
  const published = await publishedIn(task, folder);
  return published?.metadata.has(path) !== true;
}

async function put(file: string, bytes: Uint8Array): Promise<void> {
  await makeFolderDurably(dirname(file));
  await writeDurably(file, bytes, 0o644);
}

async function isThere(file: string, length: number, digest: string): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  return found?.size === length && sha256(await readFile(file)) === digest;
}

/** Writes that were interrupted. */
async function sweep(folder: string): Promise<void> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of names) if (entry.isFile() && entry.name.startsWith(PARTIAL)) await removeDurably(join(entry.parentPath, entry.name));
}
