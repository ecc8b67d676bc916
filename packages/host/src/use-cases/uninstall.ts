/** A livepatch kept no more; if it is in the kernel, it stays there. */
import type { UninstallReport } from "@suture/protocol";
import type { Task } from "@suture/task";
import { runningKernel } from "../machine/kernel.ts";
import { locked } from "../machine/lock.ts";
import type { Machine } from "../machine/machine.ts";
import { nameAmong } from "../machine/spelling.ts";
import { discard, installed } from "../store/store.ts";
import { removeUnits } from "../store/units.ts";

/**
 * With the last one the units go as well.
 * @param word any spelling of its name
 * @param release of the kernel that it is kept for; undefined for the one that runs
 * @throws HOST_NOT_INSTALLED, HOST_STORE
 */
export async function uninstall(task: Task, machine: Machine, word: string, release?: string): Promise<UninstallReport> {
  const of = release ?? runningKernel(machine).release;
  return locked(task, machine, `uninstall ${word}`, async () => {
    const kept = installed(machine).entries.filter((entry) => entry.release === of);
    const name = await nameAmong(
      word,
      kept.map((entry) => entry.name),
    );
    await discard(machine, of, name);
    const { entries, unreadable } = installed(machine);
    // What cannot be read may be kept.
    if (entries.length === 0 && unreadable.length === 0) await removeUnits(task, machine);
    return { name, release: of };
  });
}
