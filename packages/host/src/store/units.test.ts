import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { Task } from "@suture/task";
import { expect, test } from "vitest";
import { change, machineOf } from "../../test/tree.ts";
import { hasSystemd, installUnits, missingPrograms, removeUnits, unitsInstalled, unitTexts } from "./units.ts";

test("words of the command line are quoted as systemd reads them", () => {
  const { "suture.service": service } = unitTexts(["/usr/bin/node", '/opt/my "own" 100%/suture.mjs'], 300);
  expect(service).toContain('ExecStart=/usr/bin/node "/opt/my \\"own\\" 100%%/suture.mjs" boot\n');
});

test("what does not go in makes the unit a failed one", () => {
  expect(unitTexts(["/usr/bin/suture"], 300)["suture.service"]).not.toContain("SuccessExitStatus");
});

test("programs of the units that are not there any more are known", async () => {
  const machine = machineOf({ "/etc/systemd/system/.here": "", "/usr/bin/node": "" });
  expect(await missingPrograms(machine)).toEqual([]);
  await installUnits(new Task(), machine, ["/usr/bin/node", "--import", "tsx", '/opt/my "own" 100%/$x/suture.mjs'], 60);
  expect(await missingPrograms(machine)).toEqual(['/opt/my "own" 100%/$x/suture.mjs']);
  change(machine, { '/opt/my "own" 100%/$x/suture.mjs': "" });
  expect(await missingPrograms(machine)).toEqual([]);
});

test("units are enabled, and go again", async () => {
  const machine = machineOf({ "/etc/systemd/system/.here": "" });
  const folder = join(machine.root, "etc/systemd/system");
  expect(await hasSystemd(machine)).toBe(true);
  await installUnits(new Task(), machine, ["/usr/bin/node", "/opt/suture.mjs"], 60);
  await installUnits(new Task(), machine, ["/usr/bin/node", "/opt/suture.mjs"], 120);
  expect(await unitsInstalled(machine)).toBe(true);
  expect(readlinkSync(join(folder, "sysinit.target.wants/suture.service"))).toBe("../suture.service");
  expect(readFileSync(join(folder, "suture-settled.service"), "utf8")).toContain("boot --settled 120\n");
  await removeUnits(new Task(), machine);
  expect(await unitsInstalled(machine)).toBe(false);
});

test("units and what wants them are there after an install, and gone after the last uninstall, wherever one was interrupted", async () => {
  const machine = machineOf({ "/etc/systemd/system/.here": "" });
  const task = new Task();
  const all = (): string[] => readdirSync(join(machine.root, "etc/systemd/system"), { recursive: true, encoding: "utf8" }).sort();
  const before = all();
  await installUnits(task, machine, ["/usr/bin/suture"], 300);
  const installed = all();
  expect(installed).toEqual(
    expect.arrayContaining([
      "suture.service",
      "sysinit.target.wants/suture-end.service",
      "sysinit.target.wants/suture.service",
      "timers.target.wants/suture-settled.timer",
    ]),
  );
  await installUnits(task, machine, ["/usr/bin/suture"], 300);
  expect(all()).toEqual(installed);
  await removeUnits(task, machine);
  expect(all()).toEqual(before);
  await removeUnits(task, machine);
});

test("units of a package that are what is needed are used, others are written over them", async () => {
  const task = new Task();
  const program = ["/usr/bin/suture"];
  const shipped = Object.entries(unitTexts(program, 300)).map(([unit, text]) => [`/usr/lib/systemd/system/${unit}`, text]);
  const machine = machineOf({ "/etc/systemd/system/.here": "", "/usr/bin/suture": "", ...Object.fromEntries(shipped) });
  const own = (): string[] =>
    readdirSync(join(machine.root, "etc/systemd/system"))
      .filter((name) => /\.(service|timer)$/.test(name))
      .sort();
  expect(unitsInstalled(machine)).toBe(false);
  await installUnits(task, machine, program, 300);
  expect([own(), unitsInstalled(machine), missingPrograms(machine)]).toEqual([[], true, []]);
  expect(readlinkSync(join(machine.root, "etc/systemd/system/sysinit.target.wants/suture.service"))).toBe(
    "/usr/lib/systemd/system/suture.service",
  );
  // Another time to settle, and back.
  await installUnits(task, machine, program, 60);
  expect(own()).toEqual(["suture-settled.service", "suture-settled.timer"]);
  await installUnits(task, machine, program, 300);
  expect(own()).toEqual([]);
  // A checkout beside the package.
  await installUnits(task, machine, ["/opt/node", "/opt/suture.mjs"], 300);
  expect(own()).toContain("suture.service");
  await removeUnits(task, machine);
  expect([own(), unitsInstalled(machine)]).toEqual([[], false]);
  expect(readdirSync(join(machine.root, "usr/lib/systemd/system"))).toHaveLength(4);
});
