/** The store without livepatches of kernels that are gone. */
import type { TidyReport } from "@suture/protocol";
import type { Task } from "@suture/task";
import { runningKernel } from "../machine/kernel.ts";
import { locked } from "../machine/lock.ts";
import type { Machine } from "../machine/machine.ts";
import { discard, installed } from "../store/store.ts";
import { removeUnits } from "../store/units.ts";

/** Where a kernel that can be booted has its modules. */
const MODULES = ["/lib/modules", "/usr/lib/modules"] as const;

/**
 * In doubt they stay: of the running kernel always; where even that is not among the installed ones, this machine keeps its kernels elsewhere, and only
 * what was said to be removed may go.
 * @param removed the release of a kernel that was just removed: only its livepatches are looked at
 * @throws HOST_STORE
 */
export async function tidy(task: Task, machine: Machine, removed?: string): Promise<TidyReport> {
  const running = runningKernel(machine).release;
  return locked(task, machine, "tidy", async () => {
    const before = installed(machine);
    const dropped: TidyReport["dropped"][number][] = [];
    const kept: TidyReport["kept"][number][] = [];
    const known = removed !== undefined || traceOf(machine, running) !== undefined;
    for (const { release, name } of before.entries) {
      if (removed !== undefined && release !== removed) continue;
      const trace = traceOf(machine, release);
      const why =
        release === running
          ? "that kernel runs"
          : trace !== undefined
            ? `${trace} is there`
            : known
              ? undefined
              : `whether that kernel is gone is not known: the one that runs, ${running}, is not in /boot and /lib/modules either`;
      if (why !== undefined) kept.push({ release, name, why });
      else {
        await discard(machine, release, name);
        dropped.push({ release, name });
      }
    }
    const after = installed(machine);
    // What cannot be read may be kept.
    if (dropped.length > 0 && after.entries.length === 0 && after.unreadable.length === 0) await removeUnits(task, machine);
    return { dropped, kept, unreadable: after.unreadable };
  });
}

/** A file or folder that shows that a kernel is installed. */
function traceOf(machine: Machine, release: string): string | undefined {
  const image = machine.names("/boot").find((name) => name.endsWith(`-${release}`) && /^(?:vmlinu|kernel)/.test(name));
  if (image !== undefined) return `/boot/${image}`;
  for (const folder of MODULES.map((modules) => `${modules}/${release}`)) {
    // What depmod made there stays behind a package; the rest goes with it.
    const found = machine.names(folder).find((name) => !name.startsWith("modules."));
    if (found !== undefined) return `${folder}/${found}`;
  }
  return undefined;
}
