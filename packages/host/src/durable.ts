/** Files that are whole or not there, whenever the power goes: written beside, flushed, renamed, and the directory flushed. */
import { mkdir, open, rename, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";

/** What a write in progress is called; what is found under such a name is left from one that was interrupted. */
export const PARTIAL = ".partial-";

export async function writeDurably(path: string, bytes: Uint8Array | string): Promise<void> {
  const partial = join(dirname(path), `${PARTIAL}${process.pid}`);
  try {
    const file = await open(partial, "w", 0o644);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

export async function removeDurably(path: string): Promise<void> {
  await rm(path, { force: true });
  await syncFolder(dirname(path));
}

/** The directory and all above it that are not there yet. */
export async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o755 });
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
