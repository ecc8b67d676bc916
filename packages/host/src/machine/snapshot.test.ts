/** How often the kernel's files are read: all that is written here is exact, as a made-up machine has no tasks that come and go. */
import { expect, test } from "vitest";
import { change, machineOf, moduleOf, patchFiles, WELL } from "../../test/tree.ts";
import { checkLoad } from "../checks/checks.ts";
import { status } from "../use-cases/status.ts";
import { progressOf } from "./livepatches.ts";
import { Machine } from "./machine.ts";
import { Snapshot } from "./snapshot.ts";

/** Notes each file and directory that is read. */
class Counting extends Machine {
  readonly reads: string[] = [];

  override bytes(path: string): Buffer | undefined {
    this.reads.push(path);
    return super.bytes(path);
  }

  override names(path: string): string[] {
    this.reads.push(path);
    return super.names(path);
  }

  override folders(path: string): string[] {
    this.reads.push(path);
    return super.folders(path);
  }

  /** Those below a path that are read more than once. */
  again(below: string): string[] {
    return this.reads.filter((path, i) => path.startsWith(below) && this.reads.indexOf(path) !== i);
  }
}

const MANY = Array.from({ length: 600 }, (_, i) => `function_${i},1`);
const countingOf = (files: Parameters<typeof machineOf>[0]): Counting => new Counting(machineOf(files).root);

test("status of 600 patched functions reads each file once, and none for a function", async () => {
  const machine = countingOf({ ...WELL, ...patchFiles("fix", true, false, MANY) });
  const found = await status(machine);
  expect(found.patches[0]?.objects[0]?.functions).toHaveLength(600);
  expect(machine.again("/sys/kernel/livepatch").concat(machine.again("/proc"))).toEqual([]);
  // Of the livepatch: enabled, transition, stack_order, its folder; of its object: patched, its folder.
  expect(machine.reads.filter((path) => path.startsWith("/sys/kernel/livepatch/fix"))).toHaveLength(6);
});

test("the checks before a load read each livepatch, the modules and the symbols once", () => {
  const machine = countingOf({ ...WELL, ...patchFiles("other", true, false, MANY) });
  const now = new Snapshot(machine);
  const fix = moduleOf([{ name: "cmdline_proc_show", sympos: 0 }]);
  const options = { unproven: false, stack: false, replace: false };
  const results = checkLoad(now, fix, options);
  expect(results.map(({ outcome }) => outcome)).not.toContain("refused");
  for (const path of ["/sys/kernel/livepatch", "/proc/modules", "/proc/kallsyms"]) expect(machine.again(path), path).toEqual([]);
  // Of several livepatches that are checked together as well.
  checkLoad(now, { ...fix, name: "second" }, options);
  expect(machine.again("/proc/kallsyms")).toEqual([]);
});

test("how far a transition is: two files", () => {
  const machine = countingOf({ ...WELL, ...patchFiles("fix", true, true, MANY) });
  expect(progressOf(machine, "fix")?.transition).toBe("patched");
  expect(machine.reads).toEqual(["/sys/kernel/livepatch/fix/enabled", "/sys/kernel/livepatch/fix/transition"]);
});

test("a snapshot stays as it was; another one sees what changed", () => {
  const machine = machineOf({ ...WELL, ...patchFiles("fix", true, true, []) });
  const now = new Snapshot(machine);
  expect(now.moving?.name).toBe("fix");
  change(machine, patchFiles("fix", true, false, []));
  expect([now.moving?.name, new Snapshot(machine).moving]).toEqual(["fix", undefined]);
});
