/** Early in boot: the livepatches that are kept for this kernel are loaded, but for those that brought the machine down. */
import { SutureError } from "@suture/errors";
import type { BootReport, Installed } from "@suture/protocol";
import type { Task } from "@suture/task";
import { runningKernel, switchedOff } from "../machine/kernel.ts";
import { type Progress, progressOf } from "../machine/livepatches.ts";
import { locked } from "../machine/lock.ts";
import type { Machine } from "../machine/machine.ts";
import { stateText } from "../machine/state.ts";
import { clearAll, judgeLastBoot, noteOrderlyEnd, outOfEffect, settle } from "../store/crash-guard.ts";
import { installed, storedModule } from "../store/store.ts";
import { enter } from "../transition/enter.ts";
import { type Patience, seeThrough, shown } from "../transition/transition.ts";

/** Whether all that is kept for this kernel is in it: else somebody should look. */
export function isWell({ patches, unreadable }: BootReport): boolean {
  return unreadable.length === 0 && patches.every(({ outcome }) => outcome !== "failed" && outcome !== "quarantined");
}

/** Loads them in the order in which they were installed; each has its outcome. @throws HOST_BUSY and the like, CANCELLED */
export async function bootPatches(task: Task, machine: Machine, patience: Patience): Promise<BootReport> {
  return locked(task, machine, "boot", async () => {
    const { release } = runningKernel(machine);
    const off = switchedOff(machine);
    // Also when nothing is to be loaded now.
    const { entries } = await judgeLastBoot(machine, release);
    const all = installed(machine);
    const others = all.entries.filter((entry) => entry.release !== release).length;
    const report: BootReport = { release, off, patches: [], others, unreadable: all.unreadable };
    for (const entry of entries) {
      if (off) continue;
      report.patches.push({ name: entry.name, ...(await bootPatch(task, machine, entry, patience)) });
    }
    return report;
  });
}

type Outcome = Omit<BootReport["patches"][number], "name">;

async function bootPatch(task: Task, machine: Machine, entry: Installed, patience: Patience): Promise<Outcome> {
  if (entry.quarantine !== undefined) return { outcome: "quarantined", why: entry.quarantine };
  try {
    const loaded = progressOf(machine, entry.name);
    if (loaded !== undefined) return await bootLoaded(task, machine, entry.name, loaded, patience);
    const { buildId } = runningKernel(machine);
    if (entry.buildId !== undefined && entry.buildId !== buildId)
      return { outcome: "for another build", why: `it is for build-id ${entry.buildId}; ${buildId} runs` };
    const module = storedModule(machine, entry);
    const { unproven, stack } = entry;
    // What replaces all others does so at boot as well: it was installed in this order.
    const replace = module.manifest?.replace === true;
    await enter(task, machine, module, { unproven, stack, replace, ...patience });
    return { outcome: "loaded", why: "" };
  } catch (error) {
    // One that does not go in, whatever the reason, does not keep the next ones out.
    if (error instanceof SutureError && error.code === "CANCELLED") throw error;
    return { outcome: "failed", why: error instanceof SutureError ? `${error.code}: ${error.message}` : String(error) };
  }
}

/** It went in before this. Whoever loaded it may be gone while the kernel still moves its tasks: that is seen through, as a load does. */
async function bootLoaded(task: Task, machine: Machine, name: string, { transition }: Progress, patience: Patience): Promise<Outcome> {
  if (transition === undefined) return { outcome: "loaded already", why: "" };
  const { stragglers, ms } = await seeThrough(task, machine, name, patience);
  if (progressOf(machine, name)?.enabled === true) return { outcome: "loaded", why: "it was on its way, from an earlier load" };
  await outOfEffect(task, machine, name);
  const held = stragglers.length === 0 ? "" : ` Held up by\n${shown(stragglers)}`;
  const why = `it was on its way to being ${transition}, and is out of effect after ${Math.round(ms / 1000)} s`;
  return { outcome: "failed", why: `HOST_STUCK: ${why}. ${stateText(machine, name)}${held}` };
}

/**
 * The machine goes down in order: whatever happens next is no fault of what was loaded. Somebody who still waits for a transition is not waited for; what
 * they leave in the store later is known to be of a boot that ended in order.
 */
export async function orderlyEnd(task: Task, machine: Machine): Promise<void> {
  try {
    await locked(task, machine, "shutdown", () => clearAll(machine));
  } catch (error) {
    if (!(error instanceof SutureError) || error.code === "CANCELLED") throw error;
    // Nobody could have the lock, or a marker could not be removed. Each of the two is enough, and both are tried.
    task.reporter.warn(`${error.code}: ${error.message}`);
    const outcomes = await Promise.allSettled([clearAll(machine), noteOrderlyEnd(machine)]);
    const failed = outcomes.filter((outcome) => outcome.status === "rejected");
    if (failed.length === outcomes.length) throw failed[0]?.reason;
  }
}

/** So long after the last load: what went in has shown that it does no harm. @returns those that are not there yet */
export async function settled(task: Task, machine: Machine, seconds: number): Promise<string[]> {
  return locked(task, machine, "settle", () => settle(machine, seconds));
}
