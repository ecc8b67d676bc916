/** A livepatch that was disabled, or is being disabled, into effect again. */
import type { EnableReport } from "@suture/protocol";
import type { Task } from "@suture/task";
import type { CheckOptions } from "../checks/checks.ts";
import { leftBehind } from "../checks/left-behind.ts";
import { fail } from "../errors.ts";
import { locked } from "../machine/lock.ts";
import type { Machine } from "../machine/machine.ts";
import { Snapshot } from "../machine/snapshot.ts";
import { nameAmong } from "../machine/spelling.ts";
import { stateText } from "../machine/state.ts";
import { removeIdle } from "../module/remove-idle.ts";
import { recorded, recordOf } from "../store/records.ts";
import { restartSettling } from "../store/units.ts";
import { checked, enter } from "../transition/enter.ts";
import { needRights, notLoaded, turn } from "../transition/leave.ts";
import type { Patience } from "../transition/transition.ts";

/** Into effect again, after `disable`: the kernel enables a livepatch only when its module is loaded anew. @param word any spelling of its name. @throws HOST_* */
export async function enable(task: Task, machine: Machine, word: string, options: CheckOptions & Patience): Promise<EnableReport> {
  needRights(machine);
  const report = await locked(task, machine, `enable ${word}`, async () => {
    const now = new Snapshot(machine);
    const { idle } = now;
    const name = await nameAmong(word, [...now.patches.map((p) => p.name), ...idle, ...recorded(machine)]);
    const patch = now.patch(name);
    if (patch?.transition === "unpatched") return { name, transition: await turn(task, machine, name, "1", options) };
    if (patch !== undefined) throw fail("HOST_ALREADY_LOADED", `${name} is in effect. ${stateText(machine, name)}`);
    const record = recordOf(machine, name);
    const { module, load, damage } = record;
    // One whose last `enable` failed after its module was out is known still.
    if (module === undefined && !idle.includes(name)) throw notLoaded(machine, name);
    if (module === undefined)
      throw fail(
        "HOST_NOT_LOADED",
        `${damage ?? `${name} was not loaded by Suture: its file is not known`}. ${stateText(machine, name)}`,
        {},
        {
          mend: `\`suture unload ${name}\`, and \`suture load\` its file.`,
        },
      );
    const { kept } = leftBehind(record);
    if (kept !== undefined && idle.includes(name))
      throw fail(
        "HOST_LEFT_BEHIND",
        `to be enabled, its module would be taken out and loaded anew, but ${kept}. ${stateText(machine, name)}`,
        {},
        { mend: `Reboot to have it again; or, if nothing keeps them, \`suture unload --left-behind ${name}\` and load it.` },
      );
    // All that would refuse it, while its module is still there.
    await checked(task, now, module, options, true);
    if (idle.includes(name)) {
      const why = await removeIdle(task, machine, name);
      if (why !== undefined) throw fail("HOST_IN_USE", `its module cannot be loaded anew: ${why}. ${stateText(machine, name)}`);
    }
    if (damage !== undefined) task.reporter.warn(`${damage}; it is loaded without parameters`);
    const { transition } = await enter(task, machine, module, { ...options, parameters: load?.parameters ?? [] });
    return { name, transition };
  });
  await restartSettling(task, machine);
  return report;
}
