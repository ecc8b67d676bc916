/** Reading whole files, bounded and with typed errors. */
import { type FileHandle, open } from "node:fs/promises";
import { sha256OfFile } from "@suture/files";
import type { Task } from "@suture/task";
import { fail } from "./errors.ts";

/** vmlinux with debug information is the largest file that is given here. */
const LARGEST_FILE = 2 ** 31 - 1;

async function opened<T>(path: string, work: (handle: FileHandle, size: number) => Promise<T>): Promise<T> {
  const unreadable = (why: string, cause?: unknown) => fail("KERNEL_UNREADABLE", why, { file: path }, { cause });
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "r");
    const stat = await handle.stat();
    if (!stat.isFile()) throw unreadable("is no regular file");
    if (stat.size > LARGEST_FILE) throw fail("KERNEL_TOO_BIG", `${stat.size} bytes are more than any kernel has`, { file: path });
    return await work(handle, stat.size);
  } catch (error) {
    if (error instanceof Error && "syscall" in error) throw unreadable(error.message, error);
    throw error;
  } finally {
    await handle?.close();
  }
}

/** @throws KERNEL_UNREADABLE, KERNEL_TOO_BIG */
export async function readWhole(path: string): Promise<Uint8Array> {
  return opened(path, async (handle, size) => {
    const bytes = Buffer.allocUnsafeSlow(size);
    for (let at = 0; at < size; ) {
      const { bytesRead } = await handle.read(bytes, at, size - at, at);
      if (bytesRead === 0) throw fail("KERNEL_UNREADABLE", `became shorter than ${size} bytes while it was read`, { file: path });
      at += bytesRead;
    }
    return bytes;
  });
}

/** SHA-256 of a file in hex, through one small buffer. @throws KERNEL_UNREADABLE, KERNEL_TOO_BIG */
export async function hashFile(task: Task, path: string): Promise<string> {
  return opened(path, (handle) => sha256OfFile(task, handle));
}
