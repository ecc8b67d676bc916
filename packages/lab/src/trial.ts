/** One livepatch on a running guest: probed before, loaded, probed, unloaded, probed again. */
import { basename } from "node:path";
import { SutureError } from "@suture/errors";
import { findEvents } from "@suture/kernel";
import type { Outcome, TrialReport } from "@suture/protocol";
import type { Task } from "@suture/task";
import { type BootOptions, boot } from "./boot.ts";
import type { Guest } from "./guest.ts";
import { readable } from "./initramfs.ts";
import { loadOrder, nameOfModule } from "./modules.ts";
import { emptyReport, type TrialOptions } from "./trial-report.ts";
import { FAULTS, GUEST_FILE, type Prepared, pathOf, TrialEnd, TrialRun } from "./trial-run.ts";

const OUTCOME_OF_ERROR: Readonly<Record<string, Outcome>> = { LAB_HANG: "hung", LAB_PANIC: "panicked", LAB_LOST: "lost" };

/** Boots a kernel, tries a module on it, and ends the machine. What goes wrong before the trial is thrown; what goes wrong in it is reported. */
export async function tryModule(task: Task, options: BootOptions & TrialOptions): Promise<TrialReport> {
  // A file that cannot be tried should not cost a boot.
  const data = await readable(options.module);
  const name = nameOfModule(data, options.module);
  const { modules: wanted, ...others } = options;
  // The trial loads them itself: one that finds no device does not end it.
  const modules = wanted === undefined ? [] : await loadOrder(task, wanted.tree, wanted.names);
  const files = [...(options.files ?? []), ...modules.map((module) => ({ path: pathOf(module), content: module.data }))];
  const guest = await boot(task, { ...others, files: [...files, { path: GUEST_FILE, content: data }] });
  try {
    return await runTrial(task, guest, options, { name, bytes: data.length, modules });
  } finally {
    await guest.stop();
  }
}

/**
 * Tries a module on a guest that runs. After "passed", "warned", "incomplete" and "refused" the guest can be used for another trial; after
 * "stuck" if no blockers are left (`guest.alive` and no entry in /sys/kernel/livepatch); after the others it cannot.
 * @throws CANCELLED, LAB_STOPPED, LAB_FILE_UNREADABLE, LAB_NOT_A_MODULE, LAB_PUT_FAILED, LAB_SETUP_FAILED, LAB_KEEP_UNSTEADY
 */
export async function trial(task: Task, guest: Guest, options: TrialOptions): Promise<TrialReport> {
  const data = await readable(options.module);
  const name = nameOfModule(data, options.module);
  await guest.put(GUEST_FILE, data);
  return runTrial(task, guest, options, { name, bytes: data.length, modules: [] });
}

async function runTrial(task: Task, guest: Guest, options: TrialOptions, prepared: Prepared): Promise<TrialReport> {
  return task.stage(`try ${basename(options.module)}`, async (stage) => {
    const report = emptyReport(guest, options, prepared.name);
    const start = guest.logPosition;
    const steps = new TrialRun({ guest, options, report, stage, start, prepared });
    try {
      await steps.go();
    } catch (error) {
      const outcome = error instanceof SutureError ? OUTCOME_OF_ERROR[error.code] : undefined;
      if (error instanceof TrialEnd) steps.end(error.outcome, error.why);
      else if (error instanceof SutureError && outcome !== undefined) steps.end(outcome, error.message.split("\n", 1)[0] ?? "");
      else throw error;
    }
    steps.judge();
    report.log = guest.kernelLog(start);
    report.events = findEvents(report.log);
    report.livepatchLines = report.log.filter(({ text }) => text.startsWith("livepatch: "));
    const fault = report.events.find(({ kind }) => FAULTS.includes(kind));
    // A fault in a thread that no step waited for.
    if (fault !== undefined && report.failure === undefined) steps.end("oopsed", fault.headline);
    // What a reproducer makes the kernel say before the livepatch is there is not of it.
    if (report.outcome === "passed" && findEvents(guest.kernelLog(steps.loadedAt)).length > 0) report.outcome = "warned";
    stage.result(report.outcome);
    return report;
  });
}
