/**
 * A lock that lives as long as the process that took it, however that ends. It is held by `flock cat`: cat answers when it has the lock, and
 * ends when its input does, which is when we do.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { start, type Task } from "@suture/task";
import { fail } from "../errors.ts";

const SOON = 300;

/** Does `work` while no other process that locks `path` does its own. `onWait` is called once if that takes a moment. */
export async function withLock<T>(task: Task, path: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const holder = start(task, ["flock", "--exclusive", "--no-fork", path, "cat"], { stdio: ["pipe", "pipe", "pipe"] });
  const timer = setTimeout(onWait, SOON);
  try {
    await acquired(task, holder, path);
    clearTimeout(timer);
    return await work();
  } finally {
    clearTimeout(timer);
    holder.stdin?.destroy();
    if (holder.pid !== undefined && holder.exitCode === null && holder.signalCode === null) {
      holder.kill("SIGKILL");
      await once(holder, "exit");
    }
  }
}

function acquired(task: Task, holder: ChildProcess, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let stderr = "";
    holder.stderr?.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    holder.stdin?.on("error", () => {});
    holder.stdin?.write("locked\n");
    holder.stdout?.once("data", () => resolve());
    holder.once("error", (error) => reject(fail("CACHE_UNWRITABLE", `flock could not be started: ${error.message}`, { file: path })));
    holder.once("close", () => {
      try {
        task.check();
        reject(fail("CACHE_UNWRITABLE", `the lock could not be taken: ${stderr.trim()}`, { file: path }));
      } catch (cancelled) {
        reject(cancelled);
      }
    });
  });
}
