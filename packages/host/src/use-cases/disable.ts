/** Out of effect, and the module left where it is. */
import type { LeaveReport } from "@suture/protocol";
import type { Task } from "@suture/task";
import { progressOf } from "../machine/livepatches.ts";
import { locked } from "../machine/lock.ts";
import type { Machine } from "../machine/machine.ts";
import { Snapshot } from "../machine/snapshot.ts";
import { loadedName } from "../machine/spelling.ts";
import { leave, needModules, needRights } from "../transition/leave.ts";
import type { Patience } from "../transition/transition.ts";

/** Out of effect; the module stays in the kernel, and `enable` brings it back. @param word any spelling of its name. @throws HOST_* */
export async function disable(task: Task, machine: Machine, word: string, patience: Patience): Promise<LeaveReport> {
  needRights(machine);
  return locked(task, machine, `disable ${word}`, async () => {
    const name = await loadedName(new Snapshot(machine), word);
    // One that is on its way is only turned back.
    if (progressOf(machine, name)?.transition === undefined) needModules(machine, name);
    return { name, transition: await leave(task, machine, name, patience), removed: false };
  });
}
