/** How long a process had to wait for a processor of this machine. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Of its threads the one that waited longest, in milliseconds since it began: a virtual machine's processors are one of them.
 * @returns 0 where the kernel does not say it, or there is no such process
 */
export function starvedMs(pid: number | undefined): number {
  try {
    const threads = `/proc/${pid}/task`;
    return Math.max(0, ...readdirSync(threads).map((thread) => waitedMs(join(threads, thread, "schedstat"))));
  } catch {
    return 0;
  }
}

/** Nanoseconds that it ran, nanoseconds that it waited, how often it had a turn. */
function waitedMs(file: string): number {
  const waited = Number(readFileSync(file, "latin1").split(" ")[1]);
  return Number.isFinite(waited) ? waited / 1e6 : 0;
}
