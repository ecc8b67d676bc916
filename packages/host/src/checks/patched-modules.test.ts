import { expect, test } from "vitest";
import { machineOf, moduleOf, notesOf } from "../../test/tree.ts";
import { checkPatchedModules } from "./patched-modules.ts";

/** A livepatch for the module, proven against that build of it. */
const fixOf = (build: { buildId?: string; srcversion?: string }) =>
  moduleOf([{ name: "probe", sympos: 0, owner: "driver" }], { modules: [{ name: "driver", ...build }] });
const LOADED = { "/sys/module/driver/initstate": "live\n", "/sys/module/driver/srcversion": "ABCD\n" };
const NOTE = "/sys/module/driver/notes/.note.gnu.build-id";
const OTHER = expect.objectContaining({ code: "HOST_OTHER_MODULE" });
const hex = (byte: number): string => byte.toString(16).repeat(20);

test("a module that is not loaded is patched when it comes", () => {
  expect(checkPatchedModules(machineOf({}), fixOf({ buildId: hex(0xab) }))).toEqual({ same: [], absent: ["driver"] });
});

test("the build that is loaded must be the one that was patched", () => {
  const machine = machineOf({ ...LOADED, [NOTE]: notesOf(0xab) });
  expect(checkPatchedModules(machine, fixOf({ buildId: hex(0xab) }))).toEqual({ same: ["driver"], absent: [] });
  expect(() => checkPatchedModules(machine, fixOf({ buildId: hex(0xcd) }))).toThrow(OTHER);
});

test("without a build-id the hash of its sources tells", () => {
  expect(checkPatchedModules(machineOf(LOADED), fixOf({ srcversion: "ABCD" })).same).toEqual(["driver"]);
  expect(() => checkPatchedModules(machineOf(LOADED), fixOf({ srcversion: "ABCE" }))).toThrow(OTHER);
  expect(() => checkPatchedModules(machineOf(LOADED), fixOf({ buildId: hex(0xab) }))).toThrow(OTHER);
});
