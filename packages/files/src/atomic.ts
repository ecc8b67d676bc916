/** Files that are whole or not there, whoever else writes the same: written beside, on the disk, then renamed. */
import { randomBytes } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncFolder } from "./durable.ts";

/** What the name of a write in progress begins with; what is found under such a name is left from one that was interrupted. */
export const PARTIAL = ".partial-";

type Content = string | Uint8Array | ((file: FileHandle) => Promise<void>);

/**
 * The contents are on the disk when the file takes its name: a power cut leaves the old one or this one, not an empty one. Each write has a name of its own
 * until then, also those of one process. What goes wrong is told of `path`; the other name is gone by then.
 */
export async function writeAtomic(path: string, content: Content, mode?: number): Promise<void> {
  const partial = join(dirname(path), `${PARTIAL}${randomBytes(8).toString("hex")}`);
  try {
    const file = await open(partial, "wx", mode);
    try {
      if (typeof content === "function") await content(file);
      else await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {});
    if (error instanceof Error) error.message = error.message.replaceAll(partial, path);
    throw error;
  }
}

/** The directory is flushed as well: when this is done, a power cut does not bring the old file back. */
export async function writeDurably(path: string, bytes: Uint8Array | string, mode = 0o644): Promise<void> {
  await writeAtomic(path, bytes, mode);
  await syncFolder(dirname(path));
}
