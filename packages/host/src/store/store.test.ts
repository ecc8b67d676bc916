import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Task } from "@suture/task";
import { expect, test } from "vitest";
import { change, machineOf, moduleOf, patchFiles, WELL } from "../../test/tree.ts";
import type { Machine } from "../machine/machine.ts";
import { bootPatches } from "../use-cases/boot.ts";
import { guarded, setQuarantine, settle } from "./crash-guard.ts";
import { discard, installedFor, keep, installed as kept } from "./store.ts";

const FOLDER = "var/lib/suture/patches/6.1.0-7-amd64";
const FIX = moduleOf([{ name: "cmdline_proc_show", sympos: 0 }]);
const ALLOWED = { unproven: false, stack: false };
const prepare = async (): Promise<void> => {};
const installed = async (machine: Machine) => kept(machine).entries;
const task = new Task();
const files = ({ root }: Machine): string[] => readdirSync(join(root, FOLDER)).sort();

test("kept in the order of installing, replaced in place, gone without trace", async () => {
  const machine = machineOf(WELL);
  for (const name of ["b", "a", "c"]) await keep(machine, { ...FIX, name }, ALLOWED, prepare);
  await keep(machine, { ...FIX, name: "b", sha256: "another" }, ALLOWED, prepare);
  await keep(machine, { ...FIX, name: "other", release: "6.1.0-8-amd64" }, ALLOWED, prepare);
  expect(installedFor(machine, FIX.release).entries.map(({ name, sha256 }) => [name, sha256 === "another"])).toEqual([
    ["b", true],
    ["a", false],
    ["c", false],
  ]);
  expect((await installed(machine)).length).toBe(4);
  for (const name of ["b", "a", "c"]) await discard(machine, FIX.release, name);
  expect(readdirSync(join(machine.root, "var/lib/suture/patches"))).toEqual(["6.1.0-8-amd64"]);
  await expect(discard(machine, FIX.release, "a")).rejects.toMatchObject({ code: "HOST_NOT_INSTALLED" });
  await discard(machine, "6.1.0-8-amd64", "other");
  expect(readdirSync(join(machine.root, "var/lib"))).toEqual([]);
});

test("what does not fit is not kept", async () => {
  const machine = machineOf(WELL);
  const other = moduleOf([], { kernel: { release: FIX.release, buildId: "00" } });
  await expect(keep(machine, other, ALLOWED, prepare)).rejects.toMatchObject({ code: "HOST_OTHER_KERNEL" });
  const unproven = moduleOf([], { proof: { proven: false, functions: 0 } });
  await expect(keep(machine, unproven, ALLOWED, prepare)).rejects.toMatchObject({ code: "HOST_UNPROVEN" });
  expect(await installed(machine)).toEqual([]);
});

test("what loads the store at boot is ready before anything is in it, and left alone by what is refused", async () => {
  const machine = machineOf(WELL);
  const found: number[] = [];
  const look = async (): Promise<void> => void found.push((await installed(machine)).length);
  await expect(keep(machine, moduleOf([], { proof: { proven: false, functions: 0 } }), ALLOWED, look)).rejects.toThrow();
  await keep(machine, FIX, ALLOWED, look);
  expect(found).toEqual([0]);
});

test("a store that cannot be written says so", async () => {
  const machine = machineOf({ ...WELL, "/var/lib/suture": "a file" });
  await expect(keep(machine, FIX, ALLOWED, prepare)).rejects.toMatchObject({ code: "HOST_STORE" });
});

test("what an interrupted install left is no livepatch, and goes at the next", async () => {
  const machine = machineOf({ ...WELL, [`/${FOLDER}/.partial-7`]: "half", [`/${FOLDER}/fix.ko`]: "whole, but without its entry" });
  expect(await installed(machine)).toEqual([]);
  await keep(machine, { ...FIX, name: "new" }, ALLOWED, prepare);
  expect(files(machine)).toEqual(["new.json", "new.ko"]);
});

test("the guard stands from before the load until it has settled", async () => {
  const machine = machineOf(WELL);
  await keep(machine, FIX, ALLOWED, prepare);
  const phase = async (): Promise<string | undefined> => (await installed(machine))[0]?.unsettled?.phase;
  await guarded(task, machine, FIX, async () => expect(await phase()).toBe("loading"));
  expect(await phase()).toBe("settling");
  change(machine, { "/proc/uptime": "150.00 1.00\n" });
  expect(await settle(machine, 60)).toEqual(["fix"]);
  expect(await settle(machine, 50)).toEqual([]);
  expect(await phase()).toBeUndefined();
});

test("installed while it is in the kernel, it has not settled either; one that is not there has nothing to settle", async () => {
  const machine = machineOf({ ...WELL, ...patchFiles("fix", true, false, ["cmdline_proc_show,0"]) });
  expect(await keep(machine, FIX, ALLOWED, prepare)).toMatchObject({ unsettled: { bootId: "first", phase: "settling", uptime: 100 } });
  change(machine, { "/proc/uptime": "150.00 1.00\n" });
  expect(await settle(machine, 60)).toEqual(["fix"]);
  expect(await settle(machine, 50)).toEqual([]);
  expect(await keep(machine, { ...FIX, name: "other" }, ALLOWED, prepare)).toMatchObject({ unsettled: undefined });
});

test("a load that fails while the machine lives is no crash; another module needs no guard", async () => {
  const machine = machineOf(WELL);
  await keep(machine, FIX, ALLOWED, prepare);
  await expect(guarded(task, machine, FIX, () => Promise.reject(new Error("refused")))).rejects.toThrow("refused");
  await guarded(task, machine, { ...FIX, sha256: "another" }, async () => undefined);
  expect(files(machine)).toEqual(["fix.json", "fix.ko"]);
});

test("a marker of an earlier boot does not settle; a quarantine ends when it is installed anew", async () => {
  const machine = machineOf(WELL);
  await keep(machine, FIX, ALLOWED, prepare);
  await guarded(task, machine, FIX, async () => undefined);
  change(machine, { "/proc/sys/kernel/random/boot_id": "second\n" });
  expect(await settle(machine, 0)).toEqual(["fix"]);
  const [entry] = await installed(machine);
  if (entry === undefined) throw new Error("it is not installed");
  await setQuarantine(machine, entry, "the machine went down");
  expect((await installed(machine))[0]).toMatchObject({ quarantine: "the machine went down", unsettled: undefined });
  expect(await keep(machine, FIX, ALLOWED, prepare)).toMatchObject({ quarantine: undefined });
  expect((await installed(machine))[0]?.quarantine).toBeUndefined();
});

test("suture=off: nothing is loaded, but what brought the machine down is known all the same", async () => {
  const machine = machineOf(WELL);
  await keep(machine, FIX, ALLOWED, prepare);
  await guarded(task, machine, FIX, async () => undefined);
  change(machine, { "/proc/sys/kernel/random/boot_id": "second\n", "/proc/cmdline": "quiet suture=off\n" });
  expect(await bootPatches(new Task(), machine, { timeoutMs: 1000, onTimeout: "reverse" })).toMatchObject({ off: true, patches: [] });
  expect((await installed(machine))[0]?.quarantine).toBe("the machine went down soon after it was loaded (100 s after boot)");
});

test("a marker that cannot be read stands for an interrupted load; an entry that cannot be is damage", async () => {
  const machine = machineOf(WELL);
  await keep(machine, FIX, ALLOWED, prepare);
  change(machine, { [`/${FOLDER}/fix.loading`]: "{" });
  expect((await installed(machine))[0]?.unsettled).toEqual({ bootId: "", phase: "loading", uptime: 0 });
  change(machine, { [`/${FOLDER}/fix.json`]: "{}" });
  expect(await installed(machine)).toMatchObject([{ name: "fix", quarantine: "its entry in the store is damaged" }]);
});
