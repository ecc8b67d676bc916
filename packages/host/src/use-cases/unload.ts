/** Livepatches out of effect and out of the kernel. */
import type { LeaveReport } from "@suture/protocol";
import type { Task } from "@suture/task";
import { leftBehind, STRINGS_WARNING } from "../checks/left-behind.ts";
import { fail } from "../errors.ts";
import { locked } from "../machine/lock.ts";
import type { Machine } from "../machine/machine.ts";
import { Snapshot } from "../machine/snapshot.ts";
import { nameAmong } from "../machine/spelling.ts";
import { stateText } from "../machine/state.ts";
import { removeIdle } from "../module/remove-idle.ts";
import { outOfEffect } from "../store/crash-guard.ts";
import { dropRecord, recordOf } from "../store/records.ts";
import { withMore } from "../transition/enter.ts";
import { checkDependents, leave, needModules, needRights, notLoaded } from "../transition/leave.ts";
import type { Patience } from "../transition/transition.ts";

/**
 * Out of effect and out of the kernel, those on top of the stack first.
 * @param words any spellings of their names; undefined for all
 * @param accepted also those that leave addresses behind
 * @throws HOST_*
 */
export async function unload(
  task: Task,
  machine: Machine,
  words: readonly string[] | undefined,
  patience: Patience,
  accepted = false,
): Promise<LeaveReport[]> {
  needRights(machine);
  return locked(task, machine, `unload ${words?.join(", ") ?? "all"}`, async () => {
    const now = new Snapshot(machine);
    const names = await fromTheTop(now, words);
    for (const name of names) checkLeaving(task, now, name, names, accepted);
    const reports: LeaveReport[] = [];
    for (const name of names) {
      try {
        reports.push(await unloadLocked(task, machine, name, patience));
      } catch (error) {
        const before = reports.map((report) => report.name).join(", ");
        throw before === "" ? error : withMore(error, `Unloaded before it: ${before}.`);
      }
    }
    return reports;
  });
}

async function fromTheTop(now: Snapshot, words: readonly string[] | undefined): Promise<string[]> {
  const all = [...now.patches.map(({ name }) => name).reverse(), ...now.idle];
  const wanted = words === undefined ? all : await Promise.all(words.map((word) => nameAmong(word, all)));
  const rank = (name: string): number => (all.includes(name) ? all.indexOf(name) : all.length);
  return [...new Set(wanted)].sort((a, b) => rank(a) - rank(b));
}

/** Whatever would keep it in, before anything is changed. @param going all that are to be unloaded, this one among them */
function checkLeaving(task: Task, now: Snapshot, name: string, going: readonly string[], accepted: boolean): void {
  const { machine } = now;
  const patch = now.patch(name);
  if (patch === undefined && !now.idle.includes(name)) throw notLoaded(machine, name);
  needModules(machine, name);
  const { kept, strings, unknown } = leftBehind(recordOf(machine, name));
  if (kept !== undefined && !accepted) throw fail("HOST_LEFT_BEHIND", `${kept}. ${stateText(machine, name)}`);
  if (strings !== undefined) task.reporter.warn(`${strings}: ${STRINGS_WARNING}`);
  if (unknown !== undefined) task.reporter.warn(`whether ${name} leaves something behind is not known: ${unknown}`);
  if (patch !== undefined && patch.transition !== "unpatched") checkDependents(now, patch, going);
}

async function unloadLocked(task: Task, machine: Machine, name: string, patience: Patience): Promise<LeaveReport> {
  const idle = new Snapshot(machine).idle.includes(name);
  const transition = idle ? undefined : await leave(task, machine, name, patience);
  await task.stage("remove", async (stage) => {
    const why = await removeIdle(task, machine, name);
    if (why !== undefined) throw fail("HOST_IN_USE", `its module cannot be removed: ${why}. ${stateText(machine, name)}`);
    stage.result(name);
  });
  await dropRecord(machine, name);
  // Also of one that was out of effect: its load may have been killed.
  await outOfEffect(task, machine, name);
  return { name, transition, removed: true };
}
