/** A nudge for the tasks that hold up a transition. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Task } from "@suture/task";
import { fail } from "./errors.ts";
import { type Machine, setAttribute } from "./machine.ts";
import { LIVEPATCH, livePatches } from "./sysfs.ts";
import { type Straggler, stragglers } from "./tasks.ts";
import { follow } from "./transition.ts";
import { needRights } from "./unload.ts";

export interface SignalReport {
  name: string;
  /** "kernel": it signals by itself every 15 seconds. "attribute": it was told to. "stop": the processes were stopped and continued. */
  how: "kernel" | "attribute" | "stop";
  signalled: number;
  ended: boolean;
  stragglers: Straggler[];
}

/** Newer kernels wake the remaining tasks by themselves, so often; older ones when told to. */
const KERNEL_MS = 16_000;
const NUDGE_MS = 3_000;
const STOPPED_MS = 100;

/**
 * Takes no lock: whoever waits for the transition may hold it.
 * @param stop also stop and continue the processes, which interrupts what they sleep in; programs that are watched by a shell or debugger
 * may notice.
 * @throws HOST_TRANSITION if nothing is under way
 */
export async function signalStragglers(task: Task, machine: Machine, stop: boolean): Promise<SignalReport> {
  await needRights(machine);
  const patch = (await livePatches(machine)).find((p) => p.transition !== undefined);
  if (patch?.transition === undefined)
    throw fail("HOST_TRANSITION", "no transition is under way. Nothing was changed.", {}, { mend: "There is nothing to do." });
  const { name, transition } = patch;
  const before = await stragglers(machine, transition);
  const attribute = await setAttribute(machine, `${LIVEPATCH}/${name}/signal`, "1");
  const how = stop ? "stop" : attribute === undefined ? "attribute" : "kernel";
  const pids = [
    ...new Set(before.filter(({ kernelThread, pid }) => !kernelThread && pid > 1 && pid !== process.pid).map(({ pid }) => pid)),
  ];
  if (stop) await stopAndContinue(pids);
  const after = await follow(task, machine, name, how === "kernel" ? KERNEL_MS : NUDGE_MS);
  return {
    name,
    how,
    signalled: how === "stop" ? pids.length : before.length,
    ended: after.ended,
    stragglers: after.ended ? [] : after.stragglers,
  };
}

async function stopAndContinue(pids: readonly number[]): Promise<void> {
  const stopped: number[] = [];
  try {
    for (const pid of pids) if (send(pid, "SIGSTOP")) stopped.push(pid);
    await sleep(STOPPED_MS);
  } finally {
    for (const pid of stopped) send(pid, "SIGCONT");
  }
}

/** False for a process that has ended by itself. */
function send(pid: number, signal: "SIGSTOP" | "SIGCONT"): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ESRCH" || error.code === "EPERM")) return false;
    throw error;
  }
}
