/** How long the steps of a trial may take. The kernel works through a livepatch function by function and relocation by relocation. */
import type { Accelerator } from "@suture/protocol";

/** What a livepatch makes the kernel do. */
export interface LivepatchSize {
  functions: number;
  /** Those that the livepatch core applies: it looks each up among all symbols of the kernel. */
  relocations: number;
}

export interface Limits {
  probeMs: number;
  loadMs: number;
  transitionMs: number;
  unloadMs: number;
}

/**
 * Milliseconds. Measured with an emulator on a machine that had more to do: 567 functions, 40 to 60 s in insmod. Ten times that is a livepatch that
 * hangs. For each function that it takes out the kernel waits until all tasks have been elsewhere (synchronize_rcu_tasks() in ftrace_shutdown()), by a
 * timer, however fast the processor is: 0.14 to 0.26 s, and 1.4 s on a machine with four times as much to do as it has processors.
 */
const EACH: Readonly<Record<Accelerator, { function: number; taken: number; relocation: number; command: number }>> = {
  tcg: { function: 1_000, taken: 5_000, relocation: 500, command: 60_000 },
  kvm: { function: 50, taken: 2_000, relocation: 25, command: 30_000 },
};
const AT_LEAST_MS = 60_000;

export function limitsFor({ functions, relocations }: LivepatchSize, accelerator: Accelerator): Limits {
  const each = EACH[accelerator];
  const work = functions * each.function;
  const out = functions * each.taken;
  return {
    probeMs: each.command,
    loadMs: AT_LEAST_MS + work + relocations * each.relocation,
    transitionMs: AT_LEAST_MS + work,
    unloadMs: AT_LEAST_MS + out,
  };
}
