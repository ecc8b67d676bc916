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
 * hangs.
 */
const EACH: Readonly<Record<Accelerator, { function: number; relocation: number; command: number }>> = {
  tcg: { function: 1_000, relocation: 500, command: 60_000 },
  kvm: { function: 50, relocation: 25, command: 30_000 },
};
const AT_LEAST_MS = 60_000;

export function limitsFor({ functions, relocations }: LivepatchSize, accelerator: Accelerator): Limits {
  const each = EACH[accelerator];
  const work = functions * each.function;
  return {
    probeMs: each.command,
    loadMs: AT_LEAST_MS + work + relocations * each.relocation,
    transitionMs: AT_LEAST_MS + work,
    unloadMs: AT_LEAST_MS + work,
  };
}
