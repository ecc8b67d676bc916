/** One operator at a time: a lock on /run/suture/lock. */
import { type FileHandle, mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { SutureError } from "@suture/errors";
import { lockFile } from "@suture/files";
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";
import { reasonOf } from "../store/disk.ts";
import type { Machine } from "./machine.ts";

export const RUN_FOLDER = "/run/suture";
const FILE = `${RUN_FOLDER}/lock`;
/** Most operations take a few seconds: so long another one is waited for. */
const PATIENCE_S = 10;

/** Runs `work` while no other suture changes anything. @throws HOST_BUSY, HOST_TOOL_MISSING, HOST_NOT_ROOT, HOST_RUN_FOLDER */
export async function locked<T>(task: Task, machine: Machine, what: string, work: () => Promise<T>): Promise<T> {
  const path = machine.path(FILE);
  const file = await openLock(path);
  try {
    if (!(await lock(task, file)))
      throw fail("HOST_BUSY", `another suture is at work: ${(await readFile(path, "utf8")).trim()}`, { file: path });
    await sign(file, what);
    return await work();
  } finally {
    await file.close();
  }
}

/** Who waits is told who is at work. On a full file system nobody is; the lock holds all the same. */
async function sign(file: FileHandle, what: string): Promise<void> {
  try {
    await file.truncate(0);
    await file.write(`pid ${process.pid}: ${what}\n`);
  } catch (error) {
    if (reasonOf(error) !== "ENOSPC") throw error;
  }
}

async function openLock(path: string): Promise<FileHandle> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    return await open(path, "a+", 0o644);
  } catch (cause) {
    const code = reasonOf(cause);
    if (code === "EACCES" || code === "EPERM")
      throw fail(
        "HOST_NOT_ROOT",
        "this process may not change the livepatches of this machine. Nothing was changed.",
        { file: path },
        { cause },
      );
    throw fail("HOST_RUN_FOLDER", `the lock cannot be opened: ${code}. Nothing was changed.`, { file: path }, { cause });
  }
}

/** False if another one has held it for too long. */
async function lock(task: Task, file: FileHandle): Promise<boolean> {
  try {
    return await lockFile(task, file, PATIENCE_S);
  } catch (cause) {
    if (cause instanceof SutureError || !(cause instanceof Error)) throw cause;
    throw fail("HOST_TOOL_MISSING", cause.message, { file: "flock" }, { cause });
  }
}
