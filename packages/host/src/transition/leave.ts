/** A livepatch out of effect, or turned back on its way; and what would keep it from that. */
import type { Transition } from "@suture/protocol";
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";
import { mayLoadModules, modulesDisabled } from "../machine/kernel.ts";
import { missingWords } from "../machine/live-data.ts";
import { LIVEPATCH, type LivePatch, progressOf } from "../machine/livepatches.ts";
import type { Machine } from "../machine/machine.ts";
import { missingRedirects } from "../machine/redirects.ts";
import { Snapshot } from "../machine/snapshot.ts";
import { stateText } from "../machine/state.ts";
import { outOfEffect } from "../store/crash-guard.ts";
import { type Patience, refusalText, seeThrough, shown } from "./transition.ts";

/** Out of effect. Who calls it holds the lock. @throws HOST_NOT_LOADED, HOST_TRANSITION, HOST_IN_USE, HOST_STUCK, HOST_REFUSED */
export async function leave(task: Task, machine: Machine, name: string, patience: Patience): Promise<Transition> {
  const now = new Snapshot(machine);
  const patch = now.patch(name);
  if (patch === undefined) throw notLoaded(machine, name);
  const moving = now.patches.find((p) => p.transition !== undefined && p.name !== name);
  if (moving !== undefined)
    throw fail("HOST_TRANSITION", `${moving.name} is on its way to being ${moving.transition}. ${stateText(machine, name)}`);
  if (patch.transition !== "unpatched") checkDependents(now, patch, [name]);
  const transition =
    patch.transition === "unpatched" ? await seeThrough(task, machine, name, patience) : await turn(task, machine, name, "0", patience);
  await outOfEffect(task, machine, name);
  return transition;
}

/** Towards being in effect (1), or out of it (0). @throws HOST_TRANSITION, HOST_REFUSED, HOST_STUCK */
export async function turn(task: Task, machine: Machine, name: string, value: "0" | "1", patience: Patience): Promise<Transition> {
  const code = await machine.write(`${LIVEPATCH}/${name}/enabled`, value);
  if (code !== undefined)
    throw fail(code === "EBUSY" ? "HOST_TRANSITION" : "HOST_REFUSED", `${refusalText(machine, name, code)}. ${stateText(machine, name)}`);
  const transition = await seeThrough(task, machine, name, patience);
  // What was put back in the kernel's data, and that another has changed before it was to be there again.
  const words = progressOf(machine, name)?.enabled === true ? missingWords(new Snapshot(machine), name) : undefined;
  const missing = words === undefined ? "" : ` ${words} was changed by another meanwhile, and is not what the livepatch puts there.`;
  const unarmed = progressOf(machine, name)?.enabled === true ? missingRedirects(new Snapshot(machine), name) : undefined;
  if (transition.outcome !== "reversed") {
    if (unarmed !== undefined)
      throw fail("HOST_REDIRECT", `${name} is in effect, but the probe of ${unarmed} is not armed. ${stateText(machine, name)}`);
    if (words !== undefined) throw fail("HOST_LIVE_DATA", `${name} is in effect.${missing} ${stateText(machine, name)}`);
    return transition;
  }
  throw fail(
    "HOST_STUCK",
    `the transition was turned back after ${Math.round(transition.ms / 1000)} s.${missing} ${stateText(machine, name)} Held up by\n${shown(transition.stragglers)}`,
  );
}

/** @param going all that leave. A later livepatch of the same function was built over this one, or does not know of it; either way it goes first. */
export function checkDependents(now: Snapshot, patch: LivePatch, going: readonly string[]): void {
  const functionsOf = (name: string): string[] =>
    now.objects(name).flatMap((object) => object.functions.map((f) => `${object.name} ${f.name},${f.sympos}`));
  const own = new Set(functionsOf(patch.name));
  const above = now.patches.slice(now.patches.indexOf(patch) + 1);
  const dependent = above.find(({ name }) => !going.includes(name) && functionsOf(name).some((f) => own.has(f)));
  const state = stateText(now.machine, patch.name);
  if (dependent !== undefined)
    throw fail(
      "HOST_IN_USE",
      `${dependent.name} stands on it: both replace the same function. ${state}`,
      {},
      {
        mend: `\`suture unload ${dependent.name}\` first.`,
      },
    );
  const users = now.module(patch.name)?.usedBy ?? [];
  if (users.length > 0) throw fail("HOST_IN_USE", `modules use it: ${users.join(", ")}. ${state}`);
}

/** @throws HOST_MODULES_DISABLED: what is taken out of effect then would not come back until the machine is booted again */
export function needModules(machine: Machine, name: string): void {
  if (modulesDisabled(machine))
    throw fail("HOST_MODULES_DISABLED", `kernel.modules_disabled is 1. Nothing was changed. ${stateText(machine, name)}`);
}

export function notLoaded(machine: Machine, name: string): Error {
  return fail("HOST_NOT_LOADED", `there is no livepatch ${name} in the kernel. ${stateText(machine, name)}`);
}

export function needRights(machine: Machine): void {
  if (!mayLoadModules(machine)) throw fail("HOST_NOT_ROOT", "this process may not load or remove modules. Nothing was changed.");
}
