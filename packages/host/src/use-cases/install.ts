/** A livepatch kept, and loaded at each boot of the kernel that it is for. */
import type { InstallReport } from "@suture/protocol";
import type { Task } from "@suture/task";
import { locked } from "../machine/lock.ts";
import type { Machine } from "../machine/machine.ts";
import { readModuleFile } from "../module/module-file.ts";
import { settle } from "../store/crash-guard.ts";
import { keep } from "../store/store.ts";
import { hasSystemd, installUnits, restartSettling } from "../store/units.ts";

export interface InstallOptions {
  /** Also one that nothing shows to fit. */
  unproven: boolean;
  /** Boot loads it over another livepatch of the same functions. */
  stack: boolean;
  /** A machine that goes down so soon after a load, in seconds, does not load it again. */
  settleSeconds: number;
  /** The words that run Suture at boot. */
  program: readonly string[];
}

/** What loads the store at boot is made ready first. @param file path of a module. @throws HOST_*, ELF_*, KLP_* */
export async function install(task: Task, machine: Machine, file: string, options: InstallOptions): Promise<InstallReport> {
  const module = await readModuleFile(file);
  const { settleSeconds, program } = options;
  return locked(task, machine, `install ${module.name}`, async () => {
    const units = hasSystemd(machine);
    const prepare = async (): Promise<void> => {
      if (units) await installUnits(task, machine, program, settleSeconds);
    };
    const entry = await keep(machine, module, options, prepare);
    // It may have been in the kernel for a long time, or for a short one.
    if (entry.unsettled !== undefined && (await settle(machine, settleSeconds)).length > 0) await restartSettling(task, machine);
    return { ...entry, units };
  });
}
