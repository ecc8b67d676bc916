/** Livepatches out of effect, out of the kernel, and into effect again. */
import type { Task } from "@suture/task";
import type { CheckOptions } from "../checks/checks.ts";
import { leftBehind, STRINGS_WARNING } from "../checks/left-behind.ts";
import { fail } from "../errors.ts";
import { mayLoadModules, modulesDisabled } from "../machine/kernel.ts";
import { LIVEPATCH, type LivePatch, livePatches, loadedModules, progressOf } from "../machine/livepatches.ts";
import { locked } from "../machine/lock.ts";
import { type Machine, setAttribute } from "../machine/machine.ts";
import { loadedName, nameAmong } from "../machine/spelling.ts";
import { stateText } from "../machine/state.ts";
import { idleLivepatches, removeIdle } from "../module/idle.ts";
import { outOfEffect } from "../store/crash-guard.ts";
import { dropRecord, recorded, recordOf } from "../store/records.ts";
import { checked, type LoadReport, loadLocked, withMore } from "../transition/enter.ts";
import { type Patience, refusalText, seeThrough, shown, type Transition } from "../transition/transition.ts";

export interface LeaveReport {
  name: string;
  /** Undefined if it had no effect any more. */
  transition: Transition | undefined;
  /** Its module is out of the kernel. */
  removed: boolean;
}

/** Out of effect; the module stays in the kernel, and `enable` brings it back. @param word any spelling of its name. @throws HOST_* */
export async function disable(task: Task, machine: Machine, word: string, patience: Patience): Promise<LeaveReport> {
  await needRights(machine);
  return locked(task, machine, `disable ${word}`, async () => {
    const name = await loadedName(machine, word);
    // One that is on its way is only turned back.
    if ((await progressOf(machine, name))?.transition === undefined) await needModules(machine, name);
    return { name, transition: await disableLocked(task, machine, name, patience), removed: false };
  });
}

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
  await needRights(machine);
  return locked(task, machine, `unload ${words?.join(", ") ?? "all"}`, async () => {
    const names = await fromTheTop(machine, words);
    for (const name of names) await checkLeaving(task, machine, name, names, accepted);
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

async function fromTheTop(machine: Machine, words: readonly string[] | undefined): Promise<string[]> {
  const stack = (await livePatches(machine)).map(({ name }) => name).reverse();
  const all = [...stack, ...(await idleLivepatches(machine))];
  const wanted = words === undefined ? all : await Promise.all(words.map((word) => nameAmong(word, all)));
  const rank = (name: string): number => (all.includes(name) ? all.indexOf(name) : all.length);
  return [...new Set(wanted)].sort((a, b) => rank(a) - rank(b));
}

/** Whatever would keep it in, before anything is changed. @param going all that are to be unloaded, this one among them */
async function checkLeaving(task: Task, machine: Machine, name: string, going: readonly string[], accepted: boolean): Promise<void> {
  const patches = await livePatches(machine);
  const patch = patches.find((p) => p.name === name);
  if (patch === undefined && !(await idleLivepatches(machine)).includes(name)) throw await notLoaded(machine, name);
  await needModules(machine, name);
  const { kept, strings, unknown } = await leftBehind(machine, name);
  if (kept !== undefined && !accepted) throw fail("HOST_LEFT_BEHIND", `${kept}. ${await stateText(machine, name)}`);
  if (strings !== undefined) task.reporter.warn(`${strings}: ${STRINGS_WARNING}`);
  if (unknown !== undefined) task.reporter.warn(`whether ${name} leaves something behind is not known: ${unknown}`);
  if (patch !== undefined && patch.transition !== "unpatched") await checkDependents(machine, patches, patch, going);
}

async function unloadLocked(task: Task, machine: Machine, name: string, patience: Patience): Promise<LeaveReport> {
  const idle = (await idleLivepatches(machine)).includes(name);
  const transition = idle ? undefined : await disableLocked(task, machine, name, patience);
  await task.stage("remove", async (stage) => {
    const why = await removeIdle(task, machine, name);
    if (why !== undefined) throw fail("HOST_IN_USE", `its module cannot be removed: ${why}. ${await stateText(machine, name)}`);
    stage.result(name);
  });
  await dropRecord(machine, name);
  // Also of one that was out of effect: its load may have been killed.
  await outOfEffect(task, machine, name);
  return { name, transition, removed: true };
}

/** Into effect again, after `disable`: the kernel enables a livepatch only when its module is loaded anew. @throws HOST_* */
export async function enable(
  task: Task,
  machine: Machine,
  word: string,
  options: CheckOptions & Patience,
): Promise<LoadReport | { name: string; transition: Transition }> {
  await needRights(machine);
  return locked(task, machine, `enable ${word}`, async () => {
    const patches = await livePatches(machine);
    const idle = await idleLivepatches(machine);
    const name = await nameAmong(word, [...patches.map((p) => p.name), ...idle, ...recorded(machine)]);
    const patch = patches.find((p) => p.name === name);
    if (patch?.transition === "unpatched") return { name, transition: await turn(task, machine, name, "1", options) };
    if (patch !== undefined) throw fail("HOST_ALREADY_LOADED", `${name} is in effect. ${await stateText(machine, name)}`);
    const { module, load, damage } = await recordOf(machine, name);
    // One whose last `enable` failed after its module was out is known still.
    if (module === undefined && !idle.includes(name)) throw await notLoaded(machine, name);
    if (module === undefined)
      throw fail(
        "HOST_NOT_LOADED",
        `${damage ?? `${name} was not loaded by Suture: its file is not known`}. ${await stateText(machine, name)}`,
        {},
        {
          mend: `\`suture unload ${name}\`, and \`suture load\` its file.`,
        },
      );
    const { kept } = await leftBehind(machine, name);
    if (kept !== undefined && idle.includes(name))
      throw fail(
        "HOST_LEFT_BEHIND",
        `to be enabled, its module would be taken out and loaded anew, but ${kept}. ${await stateText(machine, name)}`,
        {},
        { mend: `Reboot to have it again; or, if nothing keeps them, \`suture unload --left-behind ${name}\` and load it.` },
      );
    // All that would refuse it, while its module is still there.
    await checked(task, machine, module, options, true);
    if (idle.includes(name)) {
      const why = await removeIdle(task, machine, name);
      if (why !== undefined) throw fail("HOST_IN_USE", `its module cannot be loaded anew: ${why}. ${await stateText(machine, name)}`);
    }
    if (damage !== undefined) task.reporter.warn(`${damage}; it is loaded without parameters`);
    return loadLocked(task, machine, module, { ...options, parameters: load?.parameters ?? [] });
  });
}

async function disableLocked(task: Task, machine: Machine, name: string, patience: Patience): Promise<Transition> {
  const patches = await livePatches(machine);
  const patch = patches.find((p) => p.name === name);
  if (patch === undefined) throw await notLoaded(machine, name);
  const moving = patches.find((p) => p.transition !== undefined && p.name !== name);
  if (moving !== undefined)
    throw fail("HOST_TRANSITION", `${moving.name} is on its way to being ${moving.transition}. ${await stateText(machine, name)}`);
  if (patch.transition !== "unpatched") await checkDependents(machine, patches, patch, [name]);
  const transition =
    patch.transition === "unpatched" ? await seeThrough(task, machine, name, patience) : await turn(task, machine, name, "0", patience);
  await outOfEffect(task, machine, name);
  return transition;
}

async function turn(task: Task, machine: Machine, name: string, value: "0" | "1", patience: Patience): Promise<Transition> {
  const code = await setAttribute(machine, `${LIVEPATCH}/${name}/enabled`, value);
  if (code !== undefined)
    throw fail(
      code === "EBUSY" ? "HOST_TRANSITION" : "HOST_REFUSED",
      `${await refusalText(machine, name, code)}. ${await stateText(machine, name)}`,
    );
  const transition = await seeThrough(task, machine, name, patience);
  if (transition.outcome !== "reversed") return transition;
  throw fail(
    "HOST_STUCK",
    `the transition was turned back after ${Math.round(transition.ms / 1000)} s. ${await stateText(machine, name)} Held up by\n${shown(transition.stragglers)}`,
  );
}

/** A later livepatch of the same function was built over this one, or does not know of it; either way it goes first. */
async function checkDependents(machine: Machine, patches: readonly LivePatch[], patch: LivePatch, going: readonly string[]): Promise<void> {
  const own = new Set(patch.objects.flatMap(({ name, functions }) => functions.map((f) => `${name} ${f.name},${f.sympos}`)));
  const above = patches.slice(patches.indexOf(patch) + 1);
  const dependent = above.find(
    (p) =>
      !going.includes(p.name) && p.objects.some(({ name, functions }) => functions.some((f) => own.has(`${name} ${f.name},${f.sympos}`))),
  );
  const state = await stateText(machine, patch.name);
  if (dependent !== undefined)
    throw fail(
      "HOST_IN_USE",
      `${dependent.name} stands on it: both replace the same function. ${state}`,
      {},
      {
        mend: `\`suture unload ${dependent.name}\` first.`,
      },
    );
  const users = (await loadedModules(machine)).find(({ name }) => name === patch.name)?.usedBy ?? [];
  if (users.length > 0) throw fail("HOST_IN_USE", `modules use it: ${users.join(", ")}. ${state}`);
}

/** @throws HOST_MODULES_DISABLED: what is taken out of effect then would not come back until the machine is booted again */
async function needModules(machine: Machine, name: string): Promise<void> {
  if (await modulesDisabled(machine))
    throw fail("HOST_MODULES_DISABLED", `kernel.modules_disabled is 1. Nothing was changed. ${await stateText(machine, name)}`);
}

async function notLoaded(machine: Machine, name: string): Promise<Error> {
  return fail("HOST_NOT_LOADED", `there is no livepatch ${name} in the kernel. ${await stateText(machine, name)}`);
}

export async function needRights(machine: Machine): Promise<void> {
  if (!(await mayLoadModules(machine))) throw fail("HOST_NOT_ROOT", "this process may not load or remove modules. Nothing was changed.");
}
