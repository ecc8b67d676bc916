/** One process at a time makes what the cache holds. */
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { SutureError } from "@suture/errors";
import { lockFile } from "@suture/files";
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";

const SOON = 300;

/** Does `work` while no other process that locks `path` does its own. `onWait` is called once if that takes a moment. */
export async function withLock<T>(task: Task, path: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(path, "a");
  const timer = setTimeout(onWait, SOON);
  try {
    try {
      await lockFile(task, file);
    } catch (cause) {
      if (cause instanceof SutureError || !(cause instanceof Error)) throw cause;
      throw fail("CACHE_UNWRITABLE", `the lock could not be taken: ${cause.message}`, { file: path }, { cause });
    }
    clearTimeout(timer);
    return await work();
  } finally {
    clearTimeout(timer);
    await file.close();
  }
}
