import { existsSync, rmSync } from "node:fs";
import { Task } from "@suture/task";
import { expect, test } from "vitest";
import { BUILD_ID, change, machineOf, moduleOf, WELL } from "../../test/tree.ts";
import type { Machine } from "../machine/machine.ts";
import { installed, keep } from "../store/store.ts";
import { installUnits, unitsInstalled } from "../store/units.ts";
import { tidy } from "./tidy.ts";

const task = new Task();
const RUNNING = "6.1.0-7-amd64";
const [OLD, GONE] = ["6.1.0-6-amd64", "6.1.0-5-amd64"];

async function machineWith(files: Readonly<Record<string, string>>, releases: readonly string[]): Promise<Machine> {
  const machine = machineOf({ ...WELL, "/etc/systemd/system/.here": "", ...files });
  for (const release of releases) {
    const module = moduleOf([]);
    await keep(
      machine,
      { ...module, name: "fix", release, manifest: { ...module.manifest, kernel: { release, buildId: BUILD_ID } } },
      { unproven: true, stack: false },
      () => installUnits(task, machine, ["/usr/bin/suture"], 300),
    );
  }
  return machine;
}
const releasesOf = (machine: Machine): string[] => installed(machine).entries.map(({ release }) => release);
const KERNELS = { [`/boot/vmlinuz-${RUNNING}`]: "", [`/lib/modules/${OLD}/kernel/x.ko`]: "" };

test("livepatches of kernels that are gone go; those of the running and of installed ones stay", async () => {
  const machine = await machineWith({ ...KERNELS, [`/lib/modules/${GONE}/modules.dep`]: "", [`/boot/config-${GONE}`]: "" }, [OLD, GONE]);
  const report = await tidy(task, machine);
  expect(report).toEqual({
    dropped: [{ release: GONE, name: "fix" }],
    kept: [{ release: OLD, name: "fix", why: `/lib/modules/${OLD}/kernel is there` }],
    unreadable: [],
  });
  expect(releasesOf(machine)).toEqual([OLD]);
  expect(existsSync(machine.path(`/var/lib/suture/patches/${GONE}`))).toBe(false);
  expect(unitsInstalled(machine)).toBe(true);
  expect(await tidy(task, machine)).toMatchObject({ dropped: [] });
});

test("where not even the running kernel is seen, nothing goes but what was said to be removed", async () => {
  const machine = await machineWith({}, [OLD, GONE]);
  expect(await tidy(task, machine)).toMatchObject({ dropped: [], kept: [{ why: expect.stringContaining("not known") }, {}] });
  expect(await tidy(task, machine, GONE)).toMatchObject({ dropped: [{ release: GONE }], kept: [] });
  change(machine, { [`/usr/lib/modules/${OLD}/vmlinuz`]: "" });
  expect(await tidy(task, machine, OLD)).toMatchObject({ dropped: [], kept: [{ release: OLD }] });
  rmSync(machine.path(`/usr/lib/modules/${OLD}`), { recursive: true });
  expect(await tidy(task, machine, OLD)).toMatchObject({ dropped: [{ release: OLD }] });
  expect(unitsInstalled(machine)).toBe(false);
});

test("what is kept for the running kernel stays, whatever is said of it", async () => {
  const machine = await machineWith({}, [RUNNING]);
  expect(await tidy(task, machine, RUNNING)).toMatchObject({ dropped: [], kept: [{ why: "that kernel runs" }] });
});
