/**
 * The crash guard: a livepatch with which the machine went down is not loaded again by itself. Before an installed livepatch goes in, its marker is written
 * (marker.ts); that one stays until the livepatch has settled, whatever else can or cannot be written by then.
 */
import { removeDurably, writeDurably } from "@suture/files";
import type { Installed, Marker } from "@suture/protocol";
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";
import { runningKernel, uptime } from "../machine/kernel.ts";
import { progressOf } from "../machine/livepatches.ts";
import type { Machine } from "../machine/machine.ts";
import type { ModuleFile } from "../module/module-file.ts";
import { isLeft } from "../transition/transition.ts";
import { fileOnDisk, reasonOf } from "./disk.ts";
import { installedFor } from "./store.ts";
import { ENDED, storePath } from "./store-path.ts";

/**
 * Runs the load of a livepatch so that the next boot knows if the machine went down in it. One that is not installed needs no guard.
 * @throws HOST_NO_GUARD before anything is done
 */
export async function guarded<T>(task: Task, machine: Machine, module: ModuleFile, work: () => Promise<T>): Promise<T> {
  const { release, bootId } = runningKernel(machine);
  const { entries, unreadable } = installedFor(machine, release);
  for (const what of unreadable) task.reporter.warn(`whether ${module.name} is installed is not known, so no crash guard stands: ${what}`);
  if (!entries.some(({ name, sha256 }) => name === module.name && sha256 === module.sha256)) return work();
  const path = machine.path(storePath(release, module.name, "loading"));
  const mark = async (phase: Marker["phase"]): Promise<void> =>
    writeDurably(path, `${JSON.stringify({ bootId, phase, uptime: uptime(machine) } satisfies Marker)}\n`);
  const noGuard = (why: string, cause?: unknown): Error => fail("HOST_NO_GUARD", why, { file: path }, { cause });
  if (bootId === "") throw noGuard("the kernel does not tell which boot this is (/proc/sys/kernel/random/boot_id)");
  await mark("loading").catch((cause: unknown) => {
    throw noGuard(`the crash guard cannot be set: ${reasonOf(cause)}`, cause);
  });
  try {
    const value = await work();
    await orWarn(task, "the crash guard goes on counting from before the load", mark("settling"));
    return value;
  } catch (error) {
    // The machine is still up: whatever it was, it was no crash. But one that is still in the kernel, or on its way, can still make one.
    if (isLeft(error)) await orWarn(task, "the crash guard goes on counting from before the load", mark("settling"));
    else await orWarn(task, `${module.name} stays under the crash guard`, removeDurably(path));
    throw error;
  }
}

/** What is written after the work is done does not undo it. */
async function orWarn(task: Task, what: string, writing: Promise<void>): Promise<void> {
  await writing.catch((error: unknown) => task.reporter.warn(`the store cannot be written (${reasonOf(error)}): ${what}`));
}

/** A livepatch that is out of effect can do no harm any more. A marker of another boot, or a damaged one, stays. */
export async function outOfEffect(task: Task, machine: Machine, name: string): Promise<void> {
  const { release, bootId } = runningKernel(machine);
  const entry = installedFor(machine, release).entries.find((one) => one.name === name);
  if (entry?.unsettled === undefined || !isOf(entry.unsettled, bootId)) return;
  await orWarn(task, `${name} stays under the crash guard`, removeDurably(machine.path(storePath(release, name, "loading"))));
}

/** Where the boot is not known, nothing is of this boot. */
function isOf({ bootId }: Marker, boot: string): boolean {
  return boot !== "" && bootId === boot;
}

/**
 * With what the machine went down in an earlier boot is quarantined, and also what cannot be told.
 * @returns what is kept for the kernel, with those quarantines
 */
export async function judgeLastBoot(machine: Machine, release: string): Promise<Awaited<ReturnType<typeof installedFor>>> {
  const { bootId } = runningKernel(machine);
  const ended = orderlyEndOf(machine);
  const { entries, unreadable } = installedFor(machine, release);
  const judged: Installed[] = [];
  for (const entry of entries) judged.push(await judge(machine, entry, bootId, ended));
  return { entries: judged, unreadable };
}

async function judge(machine: Machine, entry: Installed, bootId: string, ended: string | undefined): Promise<Installed> {
  const { unsettled, quarantine } = entry;
  if (unsettled === undefined || isOf(unsettled, bootId)) return entry;
  const path = machine.path(storePath(entry.release, entry.name, "loading"));
  if (ended !== undefined && unsettled.bootId === ended) {
    // If it cannot be removed, it is of that boot the next time as well.
    await removeDurably(path).catch(() => undefined);
    return { ...entry, unsettled: undefined };
  }
  const when =
    unsettled.phase === "loading" ? "while it was being loaded" : `soon after it was loaded (${Math.round(unsettled.uptime)} s after boot)`;
  const why = quarantine ?? `the machine went down ${when}`;
  try {
    await setQuarantine(machine, entry, why);
    return { ...entry, quarantine: why, unsettled: undefined };
  } catch (error) {
    // The marker stands, so that the next boot finds the same.
    return { ...entry, quarantine: `${why}; that cannot be kept: ${reasonOf(error)}` };
  }
}

/** The livepatch is not loaded again until it is installed anew. */
export async function setQuarantine(machine: Machine, { release, name }: Installed, why: string): Promise<void> {
  const path = storePath(release, name, "quarantine");
  // One that cannot be read is a quarantine, too.
  if (fileOnDisk(machine, path).unreadable === undefined) await writeDurably(machine.path(path), `${why}\n`);
  await removeDurably(machine.path(storePath(release, name, "loading")));
}

/**
 * Takes the markers of this boot from livepatches that were loaded `seconds` ago and are not on their way. Who calls it holds the lock: nothing is being
 * loaded by anybody, and a marker that says so is of a load that was killed.
 * @returns the names of those that still have one
 */
export async function settle(machine: Machine, seconds: number): Promise<string[]> {
  const now = uptime(machine);
  return clear(machine, async ({ name }, marker) => now - marker.uptime >= seconds && progressOf(machine, name)?.transition === undefined);
}

/** The machine goes down in order: no livepatch of this boot is to blame for what happens next. */
export async function clearAll(machine: Machine): Promise<void> {
  await clear(machine, async () => true);
}

async function clear(machine: Machine, which: (entry: Installed, marker: Marker) => Promise<boolean>): Promise<string[]> {
  const { release, bootId } = runningKernel(machine);
  const left: string[] = [];
  const failed: string[] = [];
  for (const entry of installedFor(machine, release).entries) {
    const { name, unsettled } = entry;
    if (unsettled === undefined) continue;
    if (!isOf(unsettled, bootId) || !(await which(entry, unsettled))) left.push(name);
    else
      await removeDurably(machine.path(storePath(release, name, "loading"))).catch((error: unknown) =>
        failed.push(`${name}: ${reasonOf(error)}`),
      );
  }
  if (failed.length > 0) throw fail("HOST_STORE", `the crash guard cannot be taken away from ${failed.join(", ")}`);
  return left;
}

/** Somebody is still at work, and may write a marker after this: the next boot is told that this one ended in order. */
export async function noteOrderlyEnd(machine: Machine): Promise<void> {
  const { release, bootId } = runningKernel(machine);
  if (bootId !== "" && installedFor(machine, release).entries.length > 0) await writeDurably(machine.path(ENDED), `${bootId}\n`);
}

/** The last boot that is known to have ended in order though somebody was at work. */
function orderlyEndOf(machine: Machine): string | undefined {
  return fileOnDisk(machine, ENDED).value?.toString("utf8").trim() || undefined;
}
