import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { machineOf, moduleOf, patchFiles, WELL } from "../../test/tree.ts";
import { checkLoad } from "../checks/checks.ts";
import { Snapshot } from "../machine/snapshot.ts";
import { status } from "../use-cases/status.ts";
import { keepRecord, recordOf } from "./records.ts";
import { keep } from "./store.ts";

const FIX = moduleOf([]);

const DAMAGE: [what: string, put: (path: string) => void][] = [
  ["empty", (path) => writeFileSync(path, "")],
  ["cut", (path) => writeFileSync(path, "\x7fELF\x02\x01\x01")],
  ["something else", (path) => writeFileSync(path, "something else, for a while".repeat(10))],
  ["a folder", (path) => mkdirSync(path)],
  ["a link to itself", (path) => symlinkSync(path, path)],
];

test.each(DAMAGE)("a record that is %s counts as none, and is told", async (_what, put) => {
  const machine = machineOf({ ...WELL, ...patchFiles("fix", true, false, ["cmdline_proc_show,1"]), "/run/suture/loaded/fix.json": "{" });
  put(join(machine.root, "run/suture/loaded/fix.ko"));
  const damage = expect.stringMatching(/^its record \/run\/suture\/loaded\/fix\.ko (is damaged|cannot be read): ./);
  expect(recordOf(machine, "fix")).toEqual({ module: undefined, load: undefined, damage });
  expect((await status(machine)).patches).toMatchObject([{ name: "fix", proven: undefined, damage }]);
  const findings = await checkLoad(new Snapshot(machine), { ...FIX, name: "other" }, { unproven: false, stack: false, replace: false });
  expect(findings).toContainEqual(expect.objectContaining({ what: "states", outcome: "unknown" }));
  // Installed while it is in the kernel: since when is not known.
  expect(await keep(machine, FIX, { unproven: false, stack: false }, async () => {})).toMatchObject({ unsettled: { uptime: 100 } });
  // What stands in the way does not keep the next load from being recorded.
  expect(await keepRecord(machine, FIX, ["a=1"])).toBe(join(machine.root, "run/suture/loaded/fix.ko"));
});

test("a folder that cannot be written is a refusal", async () => {
  const machine = machineOf({ ...WELL, "/run/suture/loaded": "a file" });
  await expect(keepRecord(machine, FIX, [])).rejects.toMatchObject({ code: "HOST_RUN_FOLDER", message: expect.stringContaining("EEXIST") });
});
