/** Whole runs of the half that may change the kernel, up to where it would: the kernel refuses nothing here, since nothing comes as far as it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { status } from "@suture/host";
import { Task } from "@suture/task";
import { expect, test } from "vitest";
import { change, type Following, following } from "../../test/machine.ts";
import { digest, KERNEL, soaking } from "../../test/truths.ts";
import { readMemory, writeMemory } from "../memory.ts";
import { retry } from "../retry.ts";
import { alone, apply, isFine } from "./apply.ts";
import { fetchNews } from "./fetch.ts";

const task = new Task();
const NO_MODULE = { name: "fix_1", bytes: Buffer.from("no ELF file"), counter: 1, replace: true };

async function ran(of: Following, more: object = {}) {
  const configuration = await of.configured(more);
  await fetchNews(task, of.machine, configuration);
  return apply({ task, machine: of.machine, configuration, program: ["/usr/bin/suture"], stay: 0 });
}

function published(): Following {
  const of = following();
  of.repository.add(NO_MODULE);
  of.repository.publish();
  // A clock, as the kernel has it.
  change(of.machine, "/proc/uptime", "1000.00 900.00\n");
  change(of.machine, "/proc/sys/kernel/tainted", "0\n");
  return of;
}

test("nothing is due: it says why, and keeps that as a report", async () => {
  const of = following();
  of.repository.publish();
  const report = await ran(of, { textfile: of.machine.path("/suture.prom") });
  expect(report).toMatchObject({ done: [], why: expect.stringContaining("nothing for 6.1.0-7-amd64"), repository: { problem: undefined } });
  expect(isFine(report)).toBe(true);
  expect(JSON.parse(readFileSync(of.machine.path("/var/lib/suture/agent/report.json"), "utf8"))).toMatchObject({ fleet: "prod", done: [] });
});

test("a probe that fails before anything is loaded keeps it out, and is not held against it", async () => {
  const of = published();
  const report = await ran(of, { probes: [{ name: "work", run: "echo no answer; sleep 60", seconds: 1 }] });
  expect(report.done).toMatchObject([{ what: "load", name: "fix_1", outcome: "not done", code: "AGENT_PROBE" }]);
  // How it failed is in the one line that is shown.
  expect(report.done[0]?.why).toMatch(/^before anything was loaded: the probe work: .*did not end within 1000 ms/);
  expect(isFine(report)).toBe(false);
  expect(await readMemory(of.machine)).toMatchObject({ soak: null, refused: [] });
});

test("what no kernel would take is refused once, remembered, and taken again only when a person has looked", async () => {
  const of = published();
  const first = await ran(of);
  expect(first.done).toMatchObject([{ what: "load", name: "fix_1", outcome: "failed", code: "ELF_NOT_ELF" }]);
  expect(first.refused).toMatchObject([{ name: "fix_1", counter: 1, code: "ELF_NOT_ELF" }]);
  // What was written before the load is gone with it.
  expect(existsSync(of.machine.path(`/var/lib/suture/agent/modules/${first.refused[0]?.sha256}.ko`))).toBe(false);
  expect(await ran(of)).toMatchObject({ done: [], livepatches: [{ obstacle: "refused before" }] });
  await expect(retry(task, of.machine, "fix_2")).rejects.toMatchObject({ code: "AGENT_NOT_REFUSED" });
  expect(await retry(task, of.machine, "fix-1")).toMatchObject({ name: "fix_1" });
  expect((await ran(of)).done).toMatchObject([{ what: "load", outcome: "failed" }]);
});

test.each([
  ["loading", "while it was being loaded"],
  ["soaking", "in its soak"],
] as const)("a machine that went down with one that was %s does not take it again", async (phase, why) => {
  const of = published();
  const before = { bootId: "the boot before", uptime: 100, taint: "", log: 0 };
  await writeMemory(of.machine, { ...(await readMemory(of.machine)), soak: soaking(7, { phase, before }) });
  const report = await ran(of);
  expect(report.done).toMatchObject([
    { what: "soak", name: "fix_7", outcome: "failed", code: "AGENT_REBOOTED", why: expect.stringContaining(why) },
  ]);
  expect(await readMemory(of.machine)).toMatchObject({ soak: null, refused: [{ sha256: digest(7), code: "AGENT_REBOOTED" }] });
});

test("a run that ended before its livepatch was in effect is gone on with: it may be taken again", async () => {
  const of = published();
  await writeMemory(of.machine, { ...(await readMemory(of.machine)), soak: soaking(7, { phase: "loading" }) });
  expect((await ran(of)).done).toMatchObject([{ what: "load", name: "fix_7", outcome: "not done" }]);
  expect(await readMemory(of.machine)).toMatchObject({ soak: null, refused: [] });
});

test("one that somebody took out in its soak is not taken again, and nothing comes in its place", async () => {
  const of = published();
  const healthy = { bootId: "this boot", uptime: 100, taint: "", log: 0 };
  await writeMemory(of.machine, { ...(await readMemory(of.machine)), soak: soaking(7, { before: healthy }) });
  const report = await ran(of);
  expect(report.done).toMatchObject([{ what: "soak", name: "fix_7", outcome: "failed", code: "AGENT_TAKEN_OUT" }]);
  expect((await readMemory(of.machine)).refused).toMatchObject([{ name: "fix_7", code: "AGENT_TAKEN_OUT" }]);
});

/** What boot loads, by name and kernel. */
function keep(of: Following, name: string, sha256: string, order: number, release = KERNEL.release): void {
  const entry = { suture: 1, sha256, buildId: KERNEL.buildId, order, fixes: [], unproven: false, stack: false };
  change(of.machine, `/var/lib/suture/patches/${release}/${name}.json`, JSON.stringify(entry));
}
const kept = async ({ machine }: Following): Promise<string[]> =>
  (await status(machine)).installed.map(({ release, name }) => `${release} ${name}`);

test("a machine that went down after its livepatch was kept: it stays, and what it replaced is kept no more", async () => {
  const of = published();
  keep(of, "fix_6", digest(6), 1);
  keep(of, "fix_7", digest(7), 2);
  const before = { bootId: "the boot before", uptime: 100, taint: "", log: 0 };
  const soak = soaking(7, { before, replaced: [{ name: "fix_6", sha256: digest(6) }] });
  await writeMemory(of.machine, { ...(await readMemory(of.machine)), soak });
  expect((await ran(of)).done).toMatchObject([{ what: "keep", name: "fix_7", outcome: "done" }]);
  expect(await kept(of)).toEqual([`${KERNEL.release} fix_7`]);
  expect(await readMemory(of.machine)).toMatchObject({ soak: null, refused: [], accepted: [{ name: "fix_7" }] });
});

test("what was withdrawn is not brought back in the place of what replaced it, nor kept for any kernel", async () => {
  const of = published();
  of.repository.withdraw("fix_1", "replace", digest(7));
  of.repository.publish();
  const sha256 = of.repository.withdrawn[0]?.sha256 ?? "";
  keep(of, "fix_1", sha256, 1, "6.1.0-6-amd64");
  // The one that replaced it leaves; it is in the kernel still, without effect.
  change(of.machine, "/proc/modules", "fix_1 16384 0 - Live 0x0000000000000000 (OEK)\n");
  const failure = { code: "AGENT_PROBE", why: "the probe web: it fails" };
  const before = { bootId: "this boot", uptime: 100, taint: "", log: 0 };
  const soak = soaking(7, { before, phase: "leaving", failure, replaced: [{ name: "fix_1", sha256 }] });
  await writeMemory(of.machine, { ...(await readMemory(of.machine)), soak });
  const report = await ran(of);
  expect(report.done).toMatchObject([
    { what: "soak", name: "fix_7", outcome: "failed", why: expect.stringContaining("fix_1: withdrawn, and not brought back") },
    { what: "take out", name: "fix_1", outcome: "done" },
  ]);
  expect(report.done[0]?.why).not.toContain("HOST_");
  expect(await kept(of)).toEqual([]);
});

test("a hold and a memory that is damaged: nothing is done", async () => {
  const of = published();
  change(of.machine, "/etc/suture/hold", "upgrade of the database\n");
  expect(await ran(of)).toMatchObject({ done: [], why: expect.stringContaining("upgrade of the database") });
  change(of.machine, "/var/lib/suture/agent/memory.json", "{");
  const configuration = await of.configured();
  await expect(apply({ task, machine: of.machine, configuration, program: [], stay: 0 })).rejects.toMatchObject({ code: "AGENT_MEMORY" });
});

test("one run at a time", async () => {
  const of = published();
  const lock = of.machine.path("/var/lib/suture/agent/lock");
  await alone(task, lock, async () => {
    await expect(alone(task, lock, async () => undefined)).rejects.toMatchObject({ code: "AGENT_BUSY" });
  });
});

test("where what was fetched is not what was signed nothing is loaded", async () => {
  const of = published();
  const configuration = await of.configured();
  await fetchNews(task, of.machine, configuration);
  const folder = `/var/lib/suture-agent/mirror/targets/patches/${KERNEL.buildId}`;
  const [module = ""] = readdirSync(of.machine.path(folder)).filter((name) => name.endsWith(".ko"));
  change(of.machine, `${folder}/${module}`, "another one");
  const report = await apply({ task, machine: of.machine, configuration, program: [], stay: 0 });
  expect(report.done).toMatchObject([{ what: "load", outcome: "not done", code: "TRUST_MISMATCH" }]);
});
