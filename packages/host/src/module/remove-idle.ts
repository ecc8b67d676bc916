/** Taking the module of a livepatch out that has no effect any more: a disabled or replaced one. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Task } from "@suture/task";
import type { Machine } from "../machine/machine.ts";
import { Snapshot } from "../machine/snapshot.ts";
import { removeModule } from "./module-tools.ts";

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
    if (!new Snapshot(machine).modules.some((module) => module.name === name)) return undefined;
    if (!MAY_END.test(why) || performance.now() > deadline) return why;
    await sleep(PAUSE_MS);
  }
}
