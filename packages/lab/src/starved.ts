/** How long a process had to wait for a processor of this machine. */
import { readdirSync, readFileSync } from "node:fs";

/** Of each thread of a process, by its number: milliseconds that it ran, and that it could have run and waited. */
export type Turns = ReadonlyMap<string, { ranMs: number; waitedMs: number }>;

/** @returns nothing where the kernel does not say it, or there is no such process */
export function turnsOf(pid: number | undefined): Turns {
  const turns = new Map<string, { ranMs: number; waitedMs: number }>();
  for (const thread of threadsOf(pid)) {
    const times = timesOf(`/proc/${pid}/task/${thread}/schedstat`);
    if (times !== undefined) turns.set(thread, times);
  }
  return turns;
}

/**
 * Of a time, how much a process waited for a processor while it had work: all its threads together, since what one waits for may be another's turn
 * (QEMU's that reads and QEMU's that emulates). Never so much that less is left than it ran.
 */
export function starvedMs(before: Turns, after: Turns, elapsedMs: number): number {
  let [ran, waited] = [0, 0];
  for (const [thread, now] of after) {
    const then = before.get(thread);
    ran += now.ranMs - (then?.ranMs ?? 0);
    waited += now.waitedMs - (then?.waitedMs ?? 0);
  }
  return Math.max(0, Math.min(waited, elapsedMs - ran));
}

function threadsOf(pid: number | undefined): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Nanoseconds that it ran, nanoseconds that it waited, how often it had a turn (Documentation/scheduler/sched-stats.rst). */
function timesOf(file: string): { ranMs: number; waitedMs: number } | undefined {
  try {
    const [ran, waited] = readFileSync(file, "latin1").split(" ").map(Number);
    return Number.isFinite(ran) && Number.isFinite(waited) ? { ranMs: Number(ran) / 1e6, waitedMs: Number(waited) / 1e6 } : undefined;
  } catch {
    return undefined;
  }
}
