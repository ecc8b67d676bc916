/** Livepatches out of effect, out of the kernel, and into effect again. */
import type { Task } from "@suture/task";
import type { CheckOptions } from "./checks.ts";
import { fail } from "./errors.ts";
import { idleLivepatches, removeIdle } from "./idle.ts";
import { mayLoadModules } from "./kernel.ts";
import { leftBehind, STRINGS_WARNING } from "./left-behind.ts";
import { type LoadReport, loadLocked } from "./load.ts";
import { locked } from "./lock.ts";
import { type Machine, setAttribute } from "./machine.ts";
import { dropRecord, loadOf, recordOf } from "./records.ts";
import { stateText } from "./state.ts";
import { LIVEPATCH, type LivePatch, livePatches, loadedModules } from "./sysfs.ts";
import { type Patience, seeThrough, shown, type Transition } from "./transition.ts";

export interface LeaveReport {
  name: string;
  /** Undefined if it had no effect any more. */
  transition: Transition | undefined;
  /** Its module is out of the kernel. */
  removed: boolean;
}

/** Out of effect; the module stays in the kernel, and `enable` brings it back. @throws HOST_* */
export async function disable(task: Task, machine: Machine, name: string, patience: Patience): Promise<LeaveReport> {
  await needRights(machine);
  return locked(task, machine, `disable ${name}`, async () => ({
    name,
    transition: await disableLocked(task, machine, name, patience),
    removed: false,
  }));
}

/**
 * Out of effect and out of the kernel.
 * @param accepted also one that leaves addresses behind
 * @throws HOST_*
 */
export async function unload(task: Task, machine: Machine, name: string, patience: Patience, accepted = false): Promise<LeaveReport> {
  await needRights(machine);
  return locked(task, machine, `unload ${name}`, async () => {
    const { kept, strings } = await leftBehind(machine, name);
    if (kept !== undefined && !accepted) throw fail("HOST_LEFT_BEHIND", `${kept}. ${await stateText(machine, name)}`);
    if (strings !== undefined) task.reporter.warn(`${strings}: ${STRINGS_WARNING}`);
    const idle = (await idleLivepatches(machine)).includes(name);
    const transition = idle ? undefined : await disableLocked(task, machine, name, patience);
    await task.stage("remove", async (stage) => {
      const why = await removeIdle(task, machine, name);
      if (why !== undefined) throw fail("HOST_IN_USE", `its module cannot be removed: ${why}. ${await stateText(machine, name)}`);
      stage.result(name);
    });
    await dropRecord(machine, name);
    return { name, transition, removed: true };
  });
}

/** Into effect again, after `disable`: the kernel enables a livepatch only when its module is loaded anew. @throws HOST_* */
export async function enable(
  task: Task,
  machine: Machine,
  name: string,
  options: CheckOptions & Patience,
): Promise<LoadReport | { name: string; transition: Transition }> {
  await needRights(machine);
  return locked(task, machine, `enable ${name}`, async () => {
    const patch = (await livePatches(machine)).find((p) => p.name === name);
    if (patch?.transition === "unpatched") return { name, transition: await turn(task, machine, name, "1", options) };
    if (patch !== undefined) throw fail("HOST_ALREADY_LOADED", `${name} is in effect. ${await stateText(machine, name)}`);
    if (!(await idleLivepatches(machine)).includes(name)) throw await notLoaded(machine, name);
    const module = await recordOf(machine, name);
    if (module === undefined)
      throw fail(
        "HOST_NOT_LOADED",
        `${name} was not loaded by Suture: its file is not known. ${await stateText(machine, name)}`,
        {},
        {
          mend: `\`suture unload ${name}\`, and \`suture load\` its file.`,
        },
      );
    const { kept } = await leftBehind(machine, name);
    if (kept !== undefined)
      throw fail(
        "HOST_LEFT_BEHIND",
        `to be enabled, its module would be taken out and loaded anew, but ${kept}. ${await stateText(machine, name)}`,
        {},
        { mend: `Reboot to have it again; or, if nothing keeps them, \`suture unload --left-behind ${name}\` and load it.` },
      );
    const { parameters = [] } = (await loadOf(machine, name)) ?? {};
    const why = await removeIdle(task, machine, name);
    if (why !== undefined) throw fail("HOST_IN_USE", `its module cannot be loaded anew: ${why}. ${await stateText(machine, name)}`);
    return loadLocked(task, machine, module, { ...options, parameters });
  });
}

async function disableLocked(task: Task, machine: Machine, name: string, patience: Patience): Promise<Transition> {
  const patches = await livePatches(machine);
  const patch = patches.find((p) => p.name === name);
  if (patch === undefined) throw await notLoaded(machine, name);
  if (patch.transition === "unpatched") return seeThrough(task, machine, name, patience);
  const moving = patches.find((p) => p.transition !== undefined && p.name !== name);
  if (moving !== undefined)
    throw fail("HOST_TRANSITION", `${moving.name} is on its way to being ${moving.transition}. ${await stateText(machine, name)}`);
  await checkDependents(machine, patches, patch);
  return turn(task, machine, name, "0", patience);
}

async function turn(task: Task, machine: Machine, name: string, value: "0" | "1", patience: Patience): Promise<Transition> {
  const code = await setAttribute(machine, `${LIVEPATCH}/${name}/enabled`, value);
  if (code !== undefined)
    throw fail(
      "HOST_REFUSED",
      `the kernel does not ${value === "0" ? "disable" : "enable"} it: ${code}. ${await stateText(machine, name)}`,
    );
  const transition = await seeThrough(task, machine, name, patience);
  if (transition.outcome !== "reversed") return transition;
  throw fail(
    "HOST_STUCK",
    `the transition was turned back after ${Math.round(transition.ms / 1000)} s. ${await stateText(machine, name)} Held up by\n${shown(transition.stragglers)}`,
  );
}

/** A later livepatch of the same function was built over this one, or does not know of it; either way it goes first. */
async function checkDependents(machine: Machine, patches: readonly LivePatch[], patch: LivePatch): Promise<void> {
  const own = new Set(patch.objects.flatMap(({ name, functions }) => functions.map((f) => `${name} ${f.name},${f.sympos}`)));
  const above = patches.slice(patches.indexOf(patch) + 1);
  const dependent = above.find((p) =>
    p.objects.some(({ name, functions }) => functions.some((f) => own.has(`${name} ${f.name},${f.sympos}`))),
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

async function notLoaded(machine: Machine, name: string): Promise<Error> {
  return fail("HOST_NOT_LOADED", `there is no livepatch ${name} in the kernel. ${await stateText(machine, name)}`);
}

export async function needRights(machine: Machine): Promise<void> {
  if (!(await mayLoadModules(machine))) throw fail("HOST_NOT_ROOT", "this process may not load or remove modules. Nothing was changed.");
}
