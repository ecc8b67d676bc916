/** A nudge for the tasks that hold up a transition. */
import { setTimeout as sleep } from "node:timers/promises";
import type { SignalReport } from "@suture/protocol";
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";
import { LIVEPATCH } from "../machine/livepatches.ts";
import type { Machine } from "../machine/machine.ts";
import { Snapshot } from "../machine/snapshot.ts";
import { isBehind, stragglers } from "../machine/tasks.ts";
import { needRights } from "../transition/leave.ts";
import { follow } from "../transition/transition.ts";

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
  needRights(machine);
  const patch = new Snapshot(machine).moving;
  if (patch?.transition === undefined)
    throw fail("HOST_TRANSITION", "no transition is under way. Nothing was changed.", {}, { mend: "There is nothing to do." });
  const { name, transition } = patch;
  const before = stragglers(machine, transition);
  const attribute = await machine.write(`${LIVEPATCH}/${name}/signal`, "1");
  const how = stop ? "stop" : attribute === undefined ? "attribute" : "kernel";
  const pids = [
    ...new Set(before.filter(({ kernelThread, pid }) => !kernelThread && pid > 1 && pid !== process.pid).map(({ pid }) => pid)),
  ];
  const stopped = stop ? await stopAndContinue(machine, pids, transition) : 0;
  const after = await follow(task, machine, name, how === "kernel" ? KERNEL_MS : NUDGE_MS);
  return {
    name,
    how,
    signalled: how === "stop" ? stopped : before.length,
    ended: after.ended,
    stragglers: after.ended ? [] : after.stragglers,
  };
}

/** @returns how many there were: those that a person or a debugger has stopped stay as they are */
async function stopAndContinue(machine: Machine, pids: readonly number[], goal: "patched" | "unpatched"): Promise<number> {
  const stopped: { pid: number; started: string }[] = [];
  try {
    for (const pid of pids) {
      // Looked at once more, just before: the list may be old, and a number may be another process's by now.
      const seen = lookAt(machine, pid);
      if (seen === undefined || STOPPED.has(seen.state) || !holdsUp(machine, pid, goal)) continue;
      if (send(pid, "SIGSTOP")) stopped.push({ pid, started: seen.started });
    }
    await sleep(STOPPED_MS);
  } finally {
    for (const { pid, started } of stopped) if (lookAt(machine, pid)?.started === started) send(pid, "SIGCONT");
  }
  return stopped.length;
}

/** By a signal, or by whoever traces it. */
const STOPPED: ReadonlySet<string> = new Set(["T", "t"]);

/** Format: proc(5), /proc/PID/stat. The name, in brackets, may hold anything. */
function lookAt(machine: Machine, pid: number): { state: string; started: string } | undefined {
  const text = machine.line(`/proc/${pid}/stat`);
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ") ?? [];
  const [state] = fields;
  const started = fields[STARTED];
  return state === undefined || started === undefined ? undefined : { state, started };
}

/** Field 22, of which the third is our first. */
const STARTED = 22 - 3;

function holdsUp(machine: Machine, pid: number, goal: "patched" | "unpatched"): boolean {
  for (const tid of machine.names(`/proc/${pid}/task`))
    if (isBehind(machine.line(`/proc/${pid}/task/${tid}/patch_state`), goal)) return true;
  return false;
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
