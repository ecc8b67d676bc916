/**
 * One operator at a time: a lock on /run/suture/lock. The kernel holds it with the open file, so it ends with the process however that ends.
 * Node has no flock; the program of that name locks the open file that it inherits from us.
 */
import { once } from "node:events";
import { type FileHandle, mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { start, type Task } from "@suture/task";
import { fail } from "./errors.ts";
import { isAbsent, type Machine, pathOf } from "./machine.ts";

export const RUN_FOLDER = "/run/suture";
const FILE = `${RUN_FOLDER}/lock`;
/** Most operations take a few seconds: so long another one is waited for. */
const PATIENCE_MS = 10_000;
const PAUSE_MS = 200;

/** Runs `work` while no other suture changes anything. @throws HOST_BUSY, HOST_TOOL_MISSING */
export async function locked<T>(task: Task, machine: Machine, what: string, work: () => Promise<T>): Promise<T> {
  const path = pathOf(machine, FILE);
  const file = await openLock(path);
  try {
    const deadline = performance.now() + PATIENCE_MS;
    while (!(await tryLock(task, file.fd))) {
      if (performance.now() > deadline)
        throw fail("HOST_BUSY", `another suture is at work: ${(await readFile(path, "utf8")).trim()}`, { file: path });
      await sleep(PAUSE_MS);
    }
    await file.truncate(0);
    await file.write(`pid ${process.pid}: ${what}\n`);
    return await work();
  } finally {
    await file.close();
  }
}

async function openLock(path: string): Promise<FileHandle> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    return await open(path, "a+", 0o644);
  } catch (cause) {
    if (!isAbsent(cause)) throw cause;
    throw fail(
      "HOST_NOT_ROOT",
      "this process may not change the livepatches of this machine. Nothing was changed.",
      { file: path },
      { cause },
    );
  }
}

async function tryLock(task: Task, fd: number): Promise<boolean> {
  const child = start(task, ["flock", "--nonblock", "3"], { stdio: ["ignore", "ignore", "ignore", fd] });
  try {
    const [code] = (await once(child, "exit")) as [number | null];
    task.check();
    return code === 0;
  } catch (cause) {
    task.check();
    throw fail("HOST_TOOL_MISSING", "the program flock is not there", { file: "flock" }, { cause });
  }
}
