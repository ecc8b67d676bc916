/** One livepatch on a running guest: probed before, loaded, probed, unloaded, probed again. */
import { basename } from "node:path";
import { SutureError } from "@suture/errors";
import { findEvents } from "@suture/kernel";
import type { KernelEvent, Outcome, TrialReport } from "@suture/protocol";
import type { Task } from "@suture/task";
import { type BootOptions, boot } from "./boot.ts";
import type { Guest } from "./guest.ts";
import { type GuestFile, readable } from "./initramfs.ts";
import { newEvents, newLines } from "./log-difference.ts";
import { loadOrder, nameOfModule } from "./modules.ts";
import { emptyReport, type TrialOptions } from "./trial-report.ts";
import { FAULTS, GUEST_FILE, type Prepared, pathOf, TrialEnd, TrialRun } from "./trial-run.ts";
import type { Workload } from "./workload/prepare.ts";
import { scriptFiles } from "./workload/run.ts";

const OUTCOME_OF_ERROR: Readonly<Record<string, Outcome>> = { LAB_HANG: "hung", LAB_PANIC: "panicked", LAB_LOST: "lost" };

/** Boots a kernel, tries a module on it, and ends the machine. What goes wrong before the trial is thrown; what goes wrong in it is reported. */
export async function tryModule(task: Task, options: BootOptions & TrialOptions): Promise<TrialReport> {
  // A file that cannot be tried should not cost a boot.
  const data = await readable(options.module);
  const name = nameOfModule(data, options.module);
  const { modules: wanted, workload, ...others } = options;
  // The trial loads them itself: one that finds no device does not end it.
  const names = [...(workload?.modules ?? []), ...(wanted?.names ?? [])];
  const modules = names.length === 0 ? [] : await loadOrder(task, wanted?.tree, names);
  const files: GuestFile[] = [
    ...(options.files ?? []),
    ...modules.map((module) => ({ path: pathOf(module), content: module.data })),
    ...(workload === undefined ? [] : [...workload.files, ...scriptFiles(workload)]),
    { path: GUEST_FILE, content: data },
  ];
  const guest = await boot(task, { ...others, ...(workload === undefined ? {} : roomFor(files, workload)), files });
  try {
    return await runTrial(task, guest, options, { name, bytes: data.length, modules });
  } finally {
    await guest.stop();
  }
}

/** A guest that has much to do, and much in its memory: what it is given is there twice while it boots. */
function roomFor(files: readonly GuestFile[], { disks }: Workload): Partial<BootOptions> {
  const mib = files.reduce((sum, { content }) => sum + (content instanceof Uint8Array ? content.length : 0), 0) / 2 ** 20;
  return { memory: Math.ceil(ROOM_MIB + 4 * mib), disks, graceMs: BUSY_GRACE_MS, deadlineMs: BUSY_GRACE_MS + MS_FOR_A_MIB * mib };
}

const ROOM_MIB = 1024;
/** An emulated guest under load answers late. */
const BUSY_GRACE_MS = 60_000;
const MS_FOR_A_MIB = 1000;

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
    if (report.outcome === "passed" && reportsOf(guest, steps, report, start).length > 0) report.outcome = "warned";
    stage.result(report.outcome);
    return report;
  });
}

/** What the kernel reported since the livepatch was loaded; of what a workload makes it say, what it did not say without. */
function reportsOf(guest: Guest, steps: TrialRun, { workload, name }: TrialReport, start: number): KernelEvent[] {
  if (workload === undefined) return findEvents(guest.kernelLog(steps.loadedAt));
  const { from, to } = steps.patchedLog;
  const patched = guest.kernelLog(from).slice(0, to - from);
  const without = [...guest.kernelLog(start).slice(0, from - start), ...guest.kernelLog(to)];
  workload.newLines = newLines(without, patched, name);
  return newEvents(findEvents(without), findEvents(patched));
}
