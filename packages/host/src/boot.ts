/** Early in boot: the livepatches that are kept for this kernel are loaded, but for those that brought the machine down. */
import { SutureError } from "@suture/errors";
import type { Task } from "@suture/task";
import { runningKernel, switchedOff } from "./kernel.ts";
import { loadLocked } from "./load.ts";
import { locked } from "./lock.ts";
import type { Machine } from "./machine.ts";
import { type Installed, installed, installedFor, quarantine, settle, storedModule } from "./store.ts";
import { livePatches } from "./sysfs.ts";
import type { Patience } from "./transition.ts";

export type BootOutcome = "loaded" | "loaded already" | "quarantined" | "for another build" | "failed";

export interface BootReport {
  release: string;
  /** `suture=off` was given to the kernel. */
  off: boolean;
  patches: { name: string; outcome: BootOutcome; why: string }[];
  /** Kept for other kernels. */
  others: number;
}

export async function bootPatches(task: Task, machine: Machine, patience: Patience): Promise<BootReport> {
  return locked(task, machine, "boot", async () => {
    const { release } = await runningKernel(machine);
    const off = await switchedOff(machine);
    const all = await installed(machine);
    const report: BootReport = { release, off, patches: [], others: all.filter((entry) => entry.release !== release).length };
    for (const entry of await guardedOnes(machine, release)) {
      if (off) continue;
      report.patches.push({ name: entry.name, ...(await bootPatch(task, machine, entry, patience)) });
    }
    return report;
  });
}

/** Quarantines what was going in, or had just gone in, when the machine went down; also when nothing is to be loaded now. */
async function guardedOnes(machine: Machine, release: string): Promise<Installed[]> {
  const { bootId } = await runningKernel(machine);
  for (const entry of await installedFor(machine, release)) {
    const { unsettled } = entry;
    if (unsettled === undefined || unsettled.bootId === bootId) continue;
    const when =
      unsettled.phase === "loading"
        ? "while it was being loaded"
        : `soon after it was loaded (${Math.round(unsettled.uptime)} s after boot)`;
    await quarantine(machine, entry, `the machine went down ${when}`);
  }
  return installedFor(machine, release);
}

async function bootPatch(
  task: Task,
  machine: Machine,
  entry: Installed,
  patience: Patience,
): Promise<{ outcome: BootOutcome; why: string }> {
  if (entry.quarantine !== undefined) return { outcome: "quarantined", why: entry.quarantine };
  if ((await livePatches(machine)).some(({ name }) => name === entry.name)) return { outcome: "loaded already", why: "" };
  const { buildId } = await runningKernel(machine);
  if (entry.buildId !== undefined && entry.buildId !== buildId)
    return { outcome: "for another build", why: `it is for build-id ${entry.buildId}; ${buildId} runs` };
  try {
    const module = await storedModule(machine, entry);
    const { unproven, stack } = entry;
    // What replaces all others does so at boot as well: it was installed in this order.
    const replace = module.manifest?.replace === true;
    await loadLocked(task, machine, module, { unproven, stack, replace, ...patience });
    return { outcome: "loaded", why: "" };
  } catch (error) {
    // One that does not go in does not keep the next ones out.
    if (!(error instanceof SutureError) || error.code === "CANCELLED") throw error;
    return { outcome: "failed", why: `${error.code}: ${error.message}` };
  }
}

/** The machine goes down in order: whatever happens next is no fault of what was loaded. */
export async function orderlyEnd(task: Task, machine: Machine): Promise<void> {
  await locked(task, machine, "shutdown", () => settle(machine, 0));
}

/** So long after the last load: what went in has shown that it does no harm. @returns those that are not there yet */
export async function settled(task: Task, machine: Machine, seconds: number): Promise<string[]> {
  return locked(task, machine, "settle", () => settle(machine, seconds));
}
