/** Files that somebody else may have written: no links are followed, no pipe is waited for, and nothing endless is read. */
import { constants } from "node:fs";
import { open } from "node:fs/promises";

/** @returns undefined if it is not there. @throws if it is no file, or longer */
export async function readPlain(path: string, limit: number): Promise<Buffer | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new Error(`${path} is no file`);
    if (stat.size > limit) throw new Error(`${path} has ${stat.size} bytes, more than ${limit}`);
    const bytes = Buffer.alloc(stat.size);
    const { bytesRead } = await file.read(bytes, 0, stat.size, 0);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
