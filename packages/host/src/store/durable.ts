/** Files that are whole or not there, whenever the power goes: written beside, flushed, renamed, and the directory flushed. */
import { mkdir, open, rename, rm, rmdir, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";

/** What a write in progress is called; what is found under such a name is left from one that was interrupted. */
export const PARTIAL = ".partial-";
/** Several writers may be at work in one process. */
let writes = 0;

export async function writeDurably(path: string, bytes: Uint8Array | string, mode = 0o644): Promise<void> {
  const partial = join(dirname(path), `${PARTIAL}${process.pid}-${writes++}`);
  try {
    const file = await open(partial, "w", mode);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Whatever is there under that name: a folder goes with all that is in it. */
export async function removeDurably(path: string): Promise<void> {
  await rm(path, { force: true, recursive: true });
  await syncFolder(dirname(path));
}

const STAYS: ReadonlySet<unknown> = new Set(["ENOTEMPTY", "EEXIST", "EBUSY"]);

/** @returns whether it is gone: a folder that is not empty, or in which a file system is mounted, stays */
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
export async function makeFolder(path: string, mode = 0o755): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode });
  if (first === undefined) return;
  for (let folder = path; folder.length >= first.length; folder = dirname(folder)) await syncFolder(dirname(folder));
}

/** A link that leads to `target`; one that is there already stays. */
export async function linkDurably(target: string, path: string): Promise<void> {
  await makeFolder(dirname(path));
  try {
    await symlink(target, path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  await syncFolder(dirname(path));
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
