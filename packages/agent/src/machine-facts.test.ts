import { mkdirSync, rmSync } from "node:fs";
import { expect, test } from "vitest";
import { change, following } from "../test/machine.ts";
import { KERNEL } from "../test/truths.ts";
import { factsOf, holdOf } from "./machine-facts.ts";
import { readMemory, writeMemory } from "./memory.ts";

test("the machine as it is", async () => {
  const { machine, configured } = following();
  change(
    machine,
    "/proc/version",
    "Linux version 6.1.0-7-amd64 (x@y) (gcc (Debian 12.2.0-14) 12.2.0) #1 SMP Debian 6.1.20-1 (2026-01-01)\n",
  );
  expect(await factsOf(machine, await configured({ labels: ["web"] }))).toMatchObject({
    ...KERNEL,
    version: "6.1.20-1",
    machineId: "0123456789abcdef0123456789abcdef",
    bootId: "this boot",
    labels: ["web"],
    hold: undefined,
    off: false,
    present: [],
    kept: [],
  });
  change(machine, "/proc/cmdline", "quiet suture=off\n");
  expect((await factsOf(machine, await configured())).off).toBe(true);
  change(machine, "/etc/machine-id", "uninitialized\n");
  await expect(factsOf(machine, await configured())).rejects.toMatchObject({ code: "AGENT_CONFIGURATION" });
});

test("a hold is any file of that name, and says why; a store that cannot be read is one, too", async () => {
  const { machine } = following();
  change(machine, "/run/suture/hold", "");
  expect(holdOf(machine)).toBe("/run/suture/hold is there");
  change(machine, "/etc/suture/hold", "database upgrade\nuntil Monday\n");
  expect(holdOf(machine)).toBe("/etc/suture/hold: database upgrade");
  const other = following();
  mkdirSync(other.machine.path("/etc/suture/hold"));
  expect(holdOf(other.machine)).toBe("/etc/suture/hold is there");
  const third = following();
  change(third.machine, "/run", "no folder");
  expect(holdOf(third.machine)).toContain("cannot be told");
  rmSync(third.machine.path("/run"));
  change(third.machine, `/var/lib/suture/patches/${KERNEL.release}`, "no folder");
  expect((await factsOf(third.machine, await third.configured())).hold).toContain("the store cannot be read");
});

test("what is remembered is what was written; nothing is where there is none, and a damaged one is refused", async () => {
  const { machine } = following();
  const nothing = await readMemory(machine);
  expect(nothing).toMatchObject({ soak: null, refused: [], accepted: [], counters: {} });
  const memory = { ...nothing, counters: { "6.1 ab": 3 } };
  await writeMemory(machine, memory);
  expect(await readMemory(machine)).toEqual(memory);
  for (const damaged of ["", "{", '{"suture-agent-memory":1}', JSON.stringify({ ...memory, more: 1 })]) {
    change(machine, "/var/lib/suture/agent/memory.json", damaged);
    await expect(readMemory(machine)).rejects.toMatchObject({ code: "AGENT_MEMORY" });
  }
});
