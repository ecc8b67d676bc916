/** Modules of livepatches that have no effect any more: disabled or replaced ones. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Task } from "@suture/task";
import { livePatches, loadedModules } from "../machine/livepatches.ts";
import type { Machine } from "../machine/machine.ts";
import { removeModule } from "./module-tools.ts";

/** Livepatch modules that are in the kernel without effect: disabled or replaced ones. */
export async function idleLivepatches(machine: Machine): Promise<string[]> {
  const [modules, patches] = await Promise.all([loadedModules(machine), livePatches(machine)]);
  const active = new Set(patches.map(({ name }) => name));
  return modules.filter(({ name, taint }) => taint.includes("K") && !active.has(name)).map(({ name }) => name);
}

/** How long the kernel may take to let go of a module after its livepatch is out of effect: it does so a moment later. */
const RELEASE_MS = 10_000;
const PAUSE_MS = 100;

/** What ends by itself; whatever else the kernel says, it would say again. */
const MAY_END = /busy|in use|temporarily unavailable/i;

/** Removes the module of a livepatch that has no effect. @returns why it could not be */
export async function removeIdle(task: Task, machine: Machine, name: string): Promise<string | undefined> {
  const deadline = performance.now() + RELEASE_MS;
  for (;;) {
    const why = await removeModule(task, name);
    if (why === undefined) return undefined;
    if (!(await loadedModules(machine)).some((module) => module.name === name)) return undefined;
    if (!MAY_END.test(why) || performance.now() > deadline) return why;
    await sleep(PAUSE_MS);
  }
}
