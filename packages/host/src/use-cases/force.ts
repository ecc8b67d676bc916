/** The last resort for a transition that does not end. */
import type { Straggler } from "@suture/protocol";
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";
import { progressOf } from "../machine/livepatches.ts";
import type { Machine } from "../machine/machine.ts";
import { Snapshot } from "../machine/snapshot.ts";
import { loadedName } from "../machine/spelling.ts";
import { stateText } from "../machine/state.ts";
import { stragglers } from "../machine/tasks.ts";
import { needRights } from "../transition/leave.ts";
import { FORCE_WARNING, follow, force, shown } from "../transition/transition.ts";

/** The kernel looks once in a second whether all tasks have moved. */
const AFTER_MS = 10_000;

/** Takes no lock: whoever waits for the transition may hold it, and the kernel does one at a time. @throws HOST_FORCE, HOST_NOT_LOADED, HOST_REFUSED */
export async function forceTransition(
  task: Task,
  machine: Machine,
  word: string,
  accepted: boolean,
): Promise<{ name: string; ended: boolean; forced: Straggler[] }> {
  needRights(machine);
  const name = await loadedName(new Snapshot(machine), word);
  const patch = progressOf(machine, name);
  if (patch === undefined) throw fail("HOST_NOT_LOADED", `there is no livepatch ${name}. ${stateText(machine, name)}`);
  if (patch.transition === undefined) throw fail("HOST_REFUSED", `${name} is not in transition. ${stateText(machine, name)}`);
  const forced = stragglers(machine, patch.transition);
  if (!accepted) throw fail("HOST_FORCE", `${FORCE_WARNING} ${stateText(machine, name)} Held up by\n${shown(forced)}`);
  await force(task, machine, name);
  return { name, ended: (await follow(task, machine, name, AFTER_MS)).ended, forced };
}
