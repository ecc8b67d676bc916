/** Changes of directories that hold when they are done, whenever the power goes. */
import { mkdir, open, rm, rmdir, symlink } from "node:fs/promises";
import { dirname } from "node:path";

/** Whatever is there under that name: a folder goes with all that is in it. Where not even its own folder is, nothing is to be removed. */
export async function removeDurably(path: string): Promise<void> {
  await rm(path, { force: true, recursive: true });
  await syncFolder(dirname(path)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}

const STAYS: ReadonlySet<unknown> = new Set(["ENOTEMPTY", "EEXIST", "EBUSY", "EROFS"]);

/** @returns whether it is gone: a folder that is not empty, or in which a file system is mounted, or above which nothing may be written, stays */
export async function removeEmptyFolder(path: string): Promise<boolean> {
  try {
    await rmdir(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") return true;
    if (STAYS.has(code)) return false;
    throw error;
  }
  await syncFolder(dirname(path));
  return true;
}

/** The directory and all above it that are not there yet. */
export async function makeFolderDurably(path: string, mode = 0o755): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode });
  if (first === undefined) return;
  for (let folder = path; folder.length >= first.length; folder = dirname(folder)) await syncFolder(dirname(folder));
}

/** A link that leads to `target`; one that is there already stays. */
export async function linkDurably(target: string, path: string): Promise<void> {
  await makeFolderDurably(dirname(path));
  try {
    await symlink(target, path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  await syncFolder(dirname(path));
}

/** Makes what was made, renamed or removed in the directory last. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
