/** Livepatches into the running kernel, in the right order. */
import type { LoadReport } from "@suture/protocol";
import type { Task } from "@suture/task";
import type { CheckOptions } from "../checks/checks.ts";
import { fail } from "../errors.ts";
import { locked } from "../machine/lock.ts";
import type { Machine } from "../machine/machine.ts";
import { Snapshot } from "../machine/snapshot.ts";
import { stateText } from "../machine/state.ts";
import { type ModuleFile, readModuleFile } from "../module/module-file.ts";
import { installedFor } from "../store/store.ts";
import { restartSettling } from "../store/units.ts";
import { checked, enter, type LoadOptions, withMore } from "../transition/enter.ts";

/**
 * One, or several, of which each is checked before the first goes in. One that is refused only then keeps those that are in effect by then: they were asked
 * for. `options.replace`: that it takes the place of all others is meant.
 * @param files paths of modules
 * @returns in the order of loading
 * @throws HOST_*
 */
export async function load(task: Task, machine: Machine, files: readonly string[], options: LoadOptions): Promise<LoadReport[]> {
  const given: ModuleFile[] = [];
  for (const file of files) given.push(await readModuleFile(file));
  const reports = await locked(task, machine, `load ${given.map(({ name }) => name).join(", ")}`, () =>
    loadAll(task, machine, given, options),
  );
  await restartSettling(task, machine);
  return reports;
}

async function loadAll(task: Task, machine: Machine, given: readonly ModuleFile[], options: LoadOptions): Promise<LoadReport[]> {
  const now = new Snapshot(machine);
  const modules = inOrder(now, given);
  checkTogether(machine, modules, options);
  // One alone is checked as it goes in.
  if (modules.length > 1) for (const module of modules) await checked(task, now, module, options);
  const reports: LoadReport[] = [];
  for (const module of modules) {
    try {
      reports.push(await enter(task, machine, module, options));
    } catch (error) {
      const before = reports.map(({ name }) => name).join(", ");
      throw before === "" ? error : withMore(error, `Loaded before it, and in effect: ${before}.`);
    }
  }
  return reports;
}

/** One that replaces all others first; then those that are kept, as boot would load them; then as they were given. */
function inOrder({ machine, kernel }: Snapshot, modules: readonly ModuleFile[]): ModuleFile[] {
  const kept = installedFor(machine, kernel.release).entries.map(({ name }) => name);
  const rank = ({ name, inspection, manifest }: ModuleFile): number => {
    if (manifest?.replace === true || inspection.descriptor?.replace === true) return -1;
    const at = kept.indexOf(name);
    return at < 0 ? kept.length : at;
  };
  return [...modules].sort((a, b) => rank(a) - rank(b));
}

/** What the checks of each alone cannot see. */
function checkTogether(machine: Machine, modules: readonly ModuleFile[], { stack }: CheckOptions): void {
  const nothing = (): string => `Nothing was changed. ${stateText(machine)}`;
  for (const [i, { name, file, inspection }] of modules.entries())
    for (const other of modules.slice(0, i)) {
      if (other.name === name) throw fail("HOST_ALREADY_LOADED", `${other.file} is ${name} as well. ${nothing()}`, { file });
      if (inspection.descriptor?.replace === true)
        throw fail("HOST_REPLACES", `it would replace ${other.name}, which is to be loaded with it. ${nothing()}`, { file });
      const same = inspection.functions.find((f) => other.inspection.functions.some((g) => g.name === f.name && g.sympos === f.sympos));
      if (same !== undefined && !stack)
        throw fail("HOST_FUNCTION_HELD", `${other.name} replaces ${same.name} as well. ${nothing()}`, { file, symbol: same.name });
    }
}
