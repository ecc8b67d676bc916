/** Several livepatches in one command, in the right order. */
import type { Task } from "@suture/task";
import type { CheckOptions } from "../checks/checks.ts";
import { fail } from "../errors.ts";
import { runningKernel } from "../machine/kernel.ts";
import { locked } from "../machine/lock.ts";
import type { Machine } from "../machine/machine.ts";
import { stateText } from "../machine/state.ts";
import { type ModuleFile, readModuleFile } from "../module/module-file.ts";
import { installedFor } from "../store/store.ts";
import { checked, type LoadOptions, type LoadReport, loadLocked, withMore } from "../transition/enter.ts";

/**
 * Several, each checked before the first goes in. One that is refused only then keeps those that are in effect by then: they were asked for.
 * @returns in the order of loading
 */
export async function loadSeveral(task: Task, machine: Machine, files: readonly string[], options: LoadOptions): Promise<LoadReport[]> {
  const given: ModuleFile[] = [];
  for (const file of files) given.push(await readModuleFile(file));
  return locked(task, machine, `load ${given.map(({ name }) => name).join(", ")}`, async () => {
    const modules = await inOrder(machine, given);
    await checkTogether(machine, modules, options);
    for (const module of modules) await checked(task, machine, module, options);
    const reports: LoadReport[] = [];
    for (const module of modules) {
      try {
        reports.push(await loadLocked(task, machine, module, options));
      } catch (error) {
        const before = reports.map(({ name }) => name).join(", ");
        throw before === "" ? error : withMore(error, `Loaded before it, and in effect: ${before}.`);
      }
    }
    return reports;
  });
}

/** One that replaces all others first; then those that are kept, as boot would load them; then as they were given. */
async function inOrder(machine: Machine, modules: readonly ModuleFile[]): Promise<ModuleFile[]> {
  const { release } = await runningKernel(machine);
  const kept = (await installedFor(machine, release)).entries.map(({ name }) => name);
  const rank = ({ name, inspection, manifest }: ModuleFile): number => {
    if (manifest?.replace === true || inspection.descriptor?.replace === true) return -1;
    const at = kept.indexOf(name);
    return at < 0 ? kept.length : at;
  };
  return [...modules].sort((a, b) => rank(a) - rank(b));
}

/** What the checks of each alone cannot see. */
async function checkTogether(machine: Machine, modules: readonly ModuleFile[], { stack }: CheckOptions): Promise<void> {
  const nothing = async (): Promise<string> => `Nothing was changed. ${await stateText(machine)}`;
  for (const [i, { name, file, inspection }] of modules.entries())
    for (const other of modules.slice(0, i)) {
      if (other.name === name) throw fail("HOST_ALREADY_LOADED", `${other.file} is ${name} as well. ${await nothing()}`, { file });
      if (inspection.descriptor?.replace === true)
        throw fail("HOST_REPLACES", `it would replace ${other.name}, which is to be loaded with it. ${await nothing()}`, { file });
      const same = inspection.functions.find((f) => other.inspection.functions.some((g) => g.name === f.name && g.sympos === f.sympos));
      if (same !== undefined && !stack)
        throw fail("HOST_FUNCTION_HELD", `${other.name} replaces ${same.name} as well. ${await nothing()}`, { file, symbol: same.name });
    }
}
