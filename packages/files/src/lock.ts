/**
 * A lock that the kernel holds with an open file, so it ends when that is closed, or with the process, however that ends. Node has no flock; the program of
 * that name locks the open file that it inherits from us.
 */
import { once } from "node:events";
import type { FileHandle } from "node:fs/promises";
import { start, type Task } from "@suture/task";

/** What flock is to end with when the time is over: no other program's exit code. */
const HELD = 75;

/**
 * Locks an open file for this process alone.
 * @param patience seconds; without it, another one's lock is waited for as long as it takes
 * @returns false if another one has held it for so long
 * @throws CANCELLED, or an Error that says why the program does not do it
 */
export async function lockFile(task: Task, file: FileHandle, patience?: number): Promise<boolean> {
  const argv = ["flock", ...(patience === undefined ? [] : ["--timeout", String(patience), "--conflict-exit-code", String(HELD)]), "3"];
  const child = start(task, argv, { stdio: ["ignore", "ignore", "ignore", file.fd] });
  let code: number | null;
  try {
    [code] = (await once(child, "exit")) as [number | null];
  } catch (cause) {
    task.check();
    throw new Error("the program flock is not there", { cause });
  }
  task.check();
  if (code === 0 || (code === HELD && patience !== undefined)) return code === 0;
  throw new Error(`flock does not lock (it ended with ${code}): that of util-linux is needed`);
}
