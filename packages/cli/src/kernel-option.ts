/** Which kernel is meant. */
import { release } from "node:os";
import { cacheRoot, prepareTarget, type Target } from "@suture/build";
import type { Task } from "@suture/task";

export const KERNEL_OPTION = [
  "--kernel <release>",
  "a kernel of the archive, as `uname -r` says it; the running one unless given",
] as const;

export function cacheDirectory(): string {
  return cacheRoot(process.env);
}

export function targetOf(task: Task, kernel: string | undefined): Promise<Target> {
  return prepareTarget(task, kernel ?? release(), { cache: cacheDirectory() });
}
