import { existsSync } from "node:fs";
import { Task } from "@suture/task";
import { expect, test } from "vitest";
import { machineOf, moduleOf, WELL } from "../../test/tree.ts";
import { installed, keep } from "../store/store.ts";
import { installUnits, unitsInstalled } from "../store/units.ts";
import { uninstall } from "./uninstall.ts";

test("several use-cases in one process wait for each other; the units go with the last livepatch", async () => {
  const machine = machineOf({ ...WELL, "/etc/systemd/system/.here": "" });
  const task = new Task();
  const { release } = moduleOf([]);
  const names = ["a", "b", "livepatch_c"];
  for (const name of names)
    await keep(machine, { ...moduleOf([]), name }, { unproven: false, stack: false }, () =>
      installUnits(task, machine, ["/usr/bin/suture"], 300),
    );
  expect(unitsInstalled(machine)).toBe(true);
  const reports = await Promise.all(["a", "b.ko", "c"].map((word) => uninstall(task, machine, word)));
  expect(reports).toEqual(names.map((name) => ({ name, release })));
  expect([installed(machine).entries, unitsInstalled(machine)]).toEqual([[], false]);
  expect(existsSync(machine.path("/var/lib/suture"))).toBe(false);
  await expect(uninstall(task, machine, "a", "6.1.0-8-amd64")).rejects.toMatchObject({ code: "HOST_NOT_INSTALLED" });
});
