import { readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { Task } from "@suture/task";
import { expect, test } from "vitest";
import { machineOf } from "../test/tree.ts";
import { hasSystemd, installUnits, removeUnits, unitsInstalled, unitTexts } from "./units.ts";

test("words of the command line are quoted as systemd reads them", () => {
  const { "suture.service": service } = unitTexts(["/usr/bin/node", '/opt/my "own" 100%/suture.mjs'], 300);
  expect(service).toContain('ExecStart=/usr/bin/node "/opt/my \\"own\\" 100%%/suture.mjs" boot\n');
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
