/** What cannot be read or written in the store: real errors of a real file system. */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Task } from "@suture/task";
import { describe, expect, it, test } from "vitest";
import { change, machineOf, moduleOf, patchFiles, WELL } from "../../test/tree.ts";
import type { Machine } from "../machine/machine.ts";
import { bootPatches, isWell, orderlyEnd } from "../use-cases/boot.ts";
import { doctor } from "../use-cases/doctor.ts";
import { status } from "../use-cases/status.ts";
import { clearAll, guarded, judgeLastBoot, noteOrderlyEnd, outOfEffect, settle } from "./crash-guard.ts";
import { discard, installed, keep } from "./store.ts";

const RELEASE = "6.1.0-7-amd64";
const FOLDER = `var/lib/suture/patches/${RELEASE}`;
const FIX = moduleOf([{ name: "cmdline_proc_show", sympos: 0 }]);
const PATIENCE = { timeoutMs: 1000, onTimeout: "reverse" } as const;
const task = new Task();

async function machineWith(...names: string[]): Promise<Machine> {
  const machine = machineOf(WELL);
  for (const name of names) await keep(machine, { ...FIX, name }, { unproven: false, stack: false }, async () => {});
  return machine;
}

const nextBoot = (machine: Machine): void => change(machine, { "/proc/sys/kernel/random/boot_id": "second\n" });
const markers = ({ root }: Machine): string[] => readdirSync(join(root, FOLDER)).filter((file) => file.endsWith(".loading"));
const load = (machine: Machine, name: string): Promise<void> => guarded(task, machine, { ...FIX, name }, async () => {});
/** As kill -9 leaves it. */
const killedLoad = (machine: Machine, name: string): void =>
  change(machine, { [`/${FOLDER}/${name}.loading`]: JSON.stringify({ bootId: "first", phase: "loading", uptime: 100 }) });

/** Each puts at a path something that is there and cannot be read as a file. */
const UNREADABLE: Record<string, (path: string) => void> = {
  "it is no file, but a folder": (path) => mkdirSync(join(path, "something"), { recursive: true }),
  "ELOOP, of a link to itself": (path) => symlinkSync(path, path),
  "ELOOP, of a link to nothing": (path) => symlinkSync("/nowhere", path),
  "it is no file, but a pipe": (path) => execFileSync("mkfifo", [path]),
};

describe.each(Object.entries(UNREADABLE))("%s", (what, put) => {
  it.each(["json", "quarantine", "loading"])("in place of a .%s: that livepatch is not loaded, and only that one", async (kind) => {
    const machine = await machineWith("bad", "other");
    const path = join(machine.root, FOLDER, `bad.${kind}`);
    rmSync(path, { force: true });
    put(path);
    const why = expect.stringContaining(what.split(",")[0] ?? "");
    const { patches } = await bootPatches(task, machine, PATIENCE);
    // The other one is tried: what it holds is no module.
    expect(patches).toContainEqual({ name: "bad", outcome: "quarantined", why });
    expect(patches).toContainEqual({ name: "other", outcome: "failed", why: "HOST_STORE: other is not what was installed" });
    expect((await status(machine)).installed.find(({ name }) => name === "bad")?.quarantine).toEqual(why);
    await keep(machine, { ...FIX, name: "bad" }, { unproven: false, stack: false }, async () => {});
    expect((await installed(machine)).entries.map(({ quarantine }) => quarantine)).toEqual([undefined, undefined]);
    rmSync(path, { force: true, recursive: true });
    put(path);
    for (const name of ["bad", "other"]) await discard(machine, RELEASE, name);
    expect(readdirSync(join(machine.root, "var/lib"))).toEqual([]);
  });

  it("in place of the module: that one fails, the next is tried", async () => {
    const machine = await machineWith("bad", "other");
    const path = join(machine.root, FOLDER, "bad.ko");
    rmSync(path);
    put(path);
    const report = await bootPatches(task, machine, PATIENCE);
    expect(report.patches.map(({ name, outcome, why }) => [name, outcome, why.split(":")[0]])).toEqual([
      ["bad", "failed", "HOST_STORE"],
      ["other", "failed", "HOST_STORE"],
    ]);
    expect(isWell(report)).toBe(false);
  });

  it("in place of the folder of a release: said, and the kernel's own livepatches are shown", async () => {
    const machine = await machineWith("fix");
    rmSync(join(machine.root, FOLDER), { recursive: true });
    put(join(machine.root, FOLDER));
    if (what.endsWith("folder")) return;
    const report = await bootPatches(task, machine, PATIENCE);
    expect([report.patches, isWell(report), report.unreadable.length]).toEqual([[], false, 1]);
    expect(await status(machine)).toMatchObject({ patches: [], unreadable: [expect.stringContaining(RELEASE)] });
    expect(await doctor(task, machine)).toContainEqual(expect.objectContaining({ what: "store", outcome: "bad" }));
    await expect(keep(machine, FIX, { unproven: false, stack: false }, async () => {})).rejects.toMatchObject({ code: "HOST_STORE" });
  });
});

test("entries of a wrong shape are damage, and told", async () => {
  const machine = await machineWith("other");
  const entry = { suture: 1, sha256: "00", order: 7, fixes: [{ cves: ["CVE"] }], unproven: false, stack: false };
  const wrong = ["", "{", "null", "5", "[]", ...[[null], [{}], [{ cves: 5 }], 5, "x"].map((fixes) => JSON.stringify({ ...entry, fixes }))];
  for (const text of [...wrong, JSON.stringify({ ...entry, order: "1" }), JSON.stringify({ ...entry, buildId: 5 })]) {
    change(machine, { [`/${FOLDER}/bad.json`]: text });
    const [bad, other] = (await status(machine)).installed;
    expect([bad?.quarantine, other?.quarantine], text).toEqual(["its entry in the store is damaged", undefined]);
  }
  change(machine, { [`/${FOLDER}/bad.json`]: JSON.stringify(entry), [`/${FOLDER}/bad.quarantine`]: "" });
  expect((await installed(machine)).entries.find(({ name }) => name === "bad")?.quarantine).toBe("its quarantine does not say why");
});

describe("a guard that cannot be written", () => {
  it("before the load: nothing is loaded", async () => {
    const machine = await machineWith("fix");
    mkdirSync(join(machine.root, FOLDER, "fix.loading/in-the-way"), { recursive: true });
    let loaded = false;
    const work = async (): Promise<void> => {
      loaded = true;
    };
    await expect(guarded(task, machine, FIX, work)).rejects.toMatchObject({ code: "HOST_NO_GUARD" });
    change(machine, { "/proc/sys/kernel/random/boot_id": "" });
    rmSync(join(machine.root, FOLDER, "fix.loading"), { recursive: true });
    await expect(guarded(task, machine, FIX, work)).rejects.toMatchObject({
      code: "HOST_NO_GUARD",
      message: expect.stringContaining("boot_id"),
    });
    expect(loaded).toBe(false);
  });

  it("after a good load: it stays loaded, and guarded by the marker from before", async () => {
    const machine = await machineWith("fix");
    const [here, away] = [join(machine.root, FOLDER), join(machine.root, "away")];
    const value = await guarded(task, machine, FIX, async () => {
      renameSync(here, away);
      writeFileSync(here, "no folder");
      return "loaded";
    });
    rmSync(here);
    renameSync(away, here);
    expect([value, markers(machine)]).toEqual(["loaded", ["fix.loading"]]);
    nextBoot(machine);
    expect((await judgeLastBoot(machine, RELEASE)).entries[0]?.quarantine).toBe("the machine went down while it was being loaded");
  });

  it("a quarantine that cannot be read or written holds, now and in the next boot", async () => {
    const machine = await machineWith("fix");
    await load(machine, "fix");
    nextBoot(machine);
    mkdirSync(join(machine.root, FOLDER, "fix.quarantine"));
    expect((await judgeLastBoot(machine, RELEASE)).entries[0]?.quarantine).toContain("it is no file");
    expect((await bootPatches(task, machine, PATIENCE)).patches[0]?.outcome).toBe("quarantined");
  });
});

describe("the marker of a load that was killed", () => {
  it("settles in time, in the same boot, unless the livepatch is on its way still", async () => {
    const machine = await machineWith("fix");
    killedLoad(machine, "fix");
    expect(await settle(machine, 60)).toEqual(["fix"]);
    change(machine, { "/proc/uptime": "160.00 1.00\n", ...patchFiles("fix", true, true, []) });
    expect(await settle(machine, 60)).toEqual(["fix"]);
    change(machine, patchFiles("fix", true, false, []));
    expect(await settle(machine, 60)).toEqual([]);
  });

  it("goes with an orderly end, and when it is taken out", async () => {
    const machine = await machineWith("a", "b");
    for (const name of ["a", "b"]) killedLoad(machine, name);
    await outOfEffect(task, machine, "a");
    expect(markers(machine)).toEqual(["b.loading"]);
    await clearAll(machine);
    expect(markers(machine)).toEqual([]);
  });

  it("stays in another boot, and where the boot is not known", async () => {
    const machine = await machineWith("fix");
    for (const boot of ["second\n", ""]) {
      killedLoad(machine, "fix");
      change(machine, { "/proc/sys/kernel/random/boot_id": boot });
      await outOfEffect(task, machine, "fix");
      await clearAll(machine);
      expect(await settle(machine, 0)).toEqual(["fix"]);
    }
    change(machine, { "/proc/sys/kernel/random/boot_id": "" });
    expect((await bootPatches(task, machine, PATIENCE)).patches[0]?.outcome).toBe("quarantined");
  });
});

test("an orderly end while somebody is at work: what they leave is not to blame in the next boot; what went down in a later boot is", async () => {
  const machine = await machineWith("fix");
  change(machine, { "/run/suture/lock": "pid 7: load fix\n" });
  const holder = spawn("flock", [join(machine.root, "run/suture/lock"), "sleep", "60"], { detached: true });
  try {
    await expect
      .poll(() => execFileSync("sh", ["-c", `flock -n ${machine.root}/run/suture/lock true || echo held`]).toString())
      .toBe("held\n");
    await orderlyEnd(task, machine);
  } finally {
    process.kill(-(holder.pid ?? 0), "SIGKILL");
  }
  killedLoad(machine, "fix");
  nextBoot(machine);
  expect((await judgeLastBoot(machine, RELEASE)).entries[0]).toMatchObject({ quarantine: undefined, unsettled: undefined });
  expect(markers(machine)).toEqual([]);
  await load(machine, "fix");
  change(machine, { "/proc/sys/kernel/random/boot_id": "third\n" });
  expect((await judgeLastBoot(machine, RELEASE)).entries[0]?.quarantine).toContain("soon after it was loaded");
});

test("an orderly end of a machine on which nothing is kept leaves nothing", async () => {
  const machine = machineOf(WELL);
  await noteOrderlyEnd(machine);
  expect((await status(machine)).installed).toEqual([]);
  expect(readdirSync(machine.root)).not.toContain("var");
});
