/** Which tasks hold up a transition: /proc/PID/task/TID/patch_state. Format: Documentation/livepatch/livepatch.rst, "consistency model". */
import type { Straggler } from "@suture/protocol";
import type { Machine } from "./machine.ts";

const STATES = { patched: "1", unpatched: "0" } as const;

/** Tasks that are not yet in the state that the transition leads to. */
export function stragglers(machine: Machine, goal: "patched" | "unpatched"): Straggler[] {
  const pids = machine.names("/proc").filter((name) => /^\d+$/.test(name));
  const found: Straggler[] = [];
  for (const pid of pids)
    for (const tid of machine.names(`/proc/${pid}/task`)) {
      const folder = `/proc/${pid}/task/${tid}`;
      const state = machine.line(`${folder}/patch_state`);
      if (!isBehind(state, goal)) continue;
      found.push(straggler(machine, folder, Number(pid), Number(tid)));
    }
  return found.sort((a, b) => a.tid - b.tid);
}

/** -1: it has no part in a transition (any more). */
export function isBehind(state: string | undefined, goal: "patched" | "unpatched"): boolean {
  return state !== undefined && state !== "-1" && state !== STATES[goal];
}

function straggler(machine: Machine, folder: string, pid: number, tid: number): Straggler {
  const [name, stack, memory] = [machine.line(`${folder}/comm`), machine.text(`${folder}/stack`), machine.line(`${folder}/statm`)];
  return {
    pid,
    tid,
    name: name ?? "?",
    // It has no memory of its own.
    kernelThread: memory === undefined || memory.startsWith("0 "),
    stack: (stack ?? "")
      .split("\n")
      .map((line) => line.replace(/^\[<[0-9a-f]+>\]\s*/, "").trim())
      .filter((line) => line !== ""),
  };
}

/** `name (pid): innermost < its caller < ...` */
export function stragglerText({ pid, tid, name, kernelThread, stack }: Straggler): string {
  const id = pid === tid ? `${pid}` : `${pid}, thread ${tid}`;
  const where = stack.length === 0 ? "it runs" : `in ${stack.slice(0, 6).join(" < ")}`;
  return `${name} (${id}${kernelThread ? ", kernel thread" : ""}): ${where}`;
}
