/** What the server makes of signed accounts and of reports. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Task } from "@suture/task";
import { withdraw } from "@suture/trust";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { accountFor, manifestFor, NO_RECORD } from "../../test/catch-up.ts";
import { BUILD_ID, STATE, send, TestMachine, tokenOf } from "../../test/machine.ts";
import { Signed } from "../../test/repository.ts";
import { dataFolder, Served } from "../../test/served.ts";
import { sweepQuiet } from "../hosts/quiet.ts";

let served: Served;
let signed: Signed;
let full: string;
let short: string;
const machines = {
  bare: new TestMachine("bare"),
  patched: new TestMachine("patched"),
  newer: new TestMachine("newer"),
  other: new TestMachine("other"),
};

const get = async (url: string): Promise<Record<string, unknown>> => {
  const { status, body } = await served.ask("viewer", "GET", url);
  expect(status, url).toBe(200);
  return body;
};
const names = async (query: string): Promise<string[]> =>
  ((await get(`/v1/hosts?${query}`)).hosts as { name: string }[]).map(({ name }) => name);

beforeAll(async () => {
  signed = new Signed(dataFolder());
  await signed.begin();
  served = await Served.open(dataFolder(), signed);
  const account = accountFor();
  full = await signed.add("catch_up", manifestFor(account), {
    account,
    review: (sha256) => `<html><script>alert(1)</script>${sha256}</html>`,
  });
  short = await signed.add("fix_by_hand", { fixes: [{ subject: "b: by hand", cves: ["CVE-2026-1002"], mentioned: [] }] });
  await served.fleet.learner?.learn();
  const token = await tokenOf(served);
  for (const machine of Object.values(machines)) await machine.enrol(served, token);
  const effect = (sha256: string | null, name: string) => ({ name, sha256, inEffect: true, kept: true });
  machines.patched.state = { ...STATE, livepatches: [effect(full, "catch_up"), effect(null, "of_another_maker")] };
  machines.newer.state = { ...STATE, release: "6.1.0-58-amd64", buildId: "cd".repeat(20), version: "6.1.192-2" };
  machines.other.state = { ...STATE, release: "6.12.9-amd64", buildId: "ef".repeat(20), version: "6.12.9-1" };
  await send(served, ...Object.values(machines).map((machine) => machine.report()));
});
afterAll(() => served.fleet.close());

test("what each livepatch carries is that of its signed account, and without one that of its manifest", async () => {
  const { livepatches } = (await get("/v1/livepatches")) as { livepatches: { sha256: string }[] };
  expect(livepatches).toMatchObject([
    { sha256: short, name: "fix_by_hand", counter: 2, targetVersion: null, machines: 0, account: false, review: false },
    {
      sha256: full,
      name: "catch_up",
      counter: 1,
      baseVersion: "6.1.190-1",
      targetVersion: "6.1.192-2",
      machines: 1,
      account: true,
      review: true,
    },
  ]);
  const { cves } = (await get(`/v1/livepatches/${full}`)) as { cves: { id: string; state: string }[] };
  expect(cves.map(({ id, state }) => `${id} ${state}`)).toEqual([
    "CVE-2026-1005 unknown",
    "CVE-2026-1004 no need",
    "CVE-2026-1003 not built",
    "CVE-2026-1002 left out",
    "CVE-2026-1001 carried",
  ]);
  expect(await get(`/v1/livepatches/${short}`)).toMatchObject({ cves: [{ id: "CVE-2026-1002", title: "b.c: fix it", state: "carried" }] });
  expect((await get(`/v1/livepatches/${full}/account`)).account).toMatchObject({ suture: 1, base: { version: "6.1.190-1" } });
  expect((await served.ask("viewer", "GET", `/v1/livepatches/${short}/account`)).status).toBe(404);
});

test("the machines that are open to a CVE are those of a filter, with the reason for each kernel", async () => {
  expect(await get("/v1/cves/CVE-2026-1001")).toMatchObject({ title: "a.c: fix it", open: 1, unknown: 1, closed: 2 });
  expect(await names("cve=CVE-2026-1001")).toEqual(["bare"]);
  expect(await names("cve=CVE-2026-1001&standing=closed")).toEqual(["newer", "patched"]);
  expect(await names("cve=CVE-2026-1002")).toEqual(["bare", "patched"]);
  // Of the other one's kernel nothing is said.
  expect(await names("cve=CVE-2026-1001&standing=unknown")).toEqual(["other"]);
  expect(await names(`cve=${NO_RECORD}&standing=unknown`)).toEqual(["bare", "other", "patched"]);
  const { kernels } = (await get("/v1/cves/CVE-2026-1002")) as { kernels: object[] };
  expect(kernels).toHaveLength(4);
  expect(kernels).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ livepatches: ["catch_up", "name:of_another_maker"], reason: "not loaded", standing: "open" }),
      expect.objectContaining({ release: "6.1.0-58-amd64", reason: "in the kernel", standing: "closed" }),
    ]),
  );
  expect((await served.ask("viewer", "GET", "/v1/cves/CVE-1999-0001")).status).toBe(404);
  expect((await served.ask("viewer", "GET", "/v1/hosts?cve=CVE-1999-0001")).status).toBe(404);
  expect((await served.ask("viewer", "GET", "/v1/hosts?cve=x'")).status).toBe(400);
  expect(await get("/v1/cves?open=1")).toMatchObject({
    cves: [
      { id: "CVE-2026-1002", open: 2 },
      { id: "CVE-2026-1001", open: 1 },
    ],
    next: null,
  });
  expect((await served.raw("viewer", "/metrics")).body).toContain('suture_fleet_cves{standing="closed"} 0\n');
});

test("a machine's level, its open CVEs, and a reboot where it helps; a kernel of which nothing is known has no level", async () => {
  const of = async (machine: TestMachine) => (await get(`/v1/hosts/${machine.host}`)).level;
  expect(await of(machines.bare)).toMatchObject({
    version: "6.1.190-1",
    level: "6.1.190-1",
    open: 2,
    unknown: 1,
    closed: 2,
    reboot: [],
    coveredUntil: null,
  });
  expect(await of(machines.patched)).toMatchObject({
    level: "6.1.192-2",
    open: 1,
    openCves: [{ id: "CVE-2026-1002", reason: "not loaded" }],
  });
  expect(await of(machines.newer)).toMatchObject({ version: "6.1.192-2", level: "6.1.192-2", open: 0, closed: 5 });
  expect(await of(machines.other)).toMatchObject({ version: "6.12.9-1", level: "6.12.9-1", open: 0, unknown: 5, closed: 0 });
  machines.patched.state = { ...machines.patched.state, rebootWanted: ["old_fix"] };
  await send(served, machines.patched.report());
  expect((await served.ask("operator", "POST", `/v1/kernels/${BUILD_ID}`, { until: "2020-01-01", why: "end of support" })).status).toBe(
    200,
  );
  expect(await of(machines.patched)).toMatchObject({
    coveredUntil: "2020-01-01",
    reboot: [{ code: "not covered" }, { code: "withdrawn" }],
  });
  expect((await served.ask("operator", "POST", `/v1/kernels/${BUILD_ID}`, { until: "2020-02-31", why: "x" })).status).toBe(400);
  expect((await served.ask("operator", "POST", `/v1/kernels/${BUILD_ID}`, { until: null, why: "by mistake" })).status).toBe(200);
  expect(await of(machines.bare)).toMatchObject({ coveredUntil: null });
});

test("what is closed on a machine is not known when it is silent, or was last heard of by a clock that was ahead", async () => {
  const { sql } = served.fleet.database;
  const closed = async () => (await get("/v1/cves/CVE-2026-1001")).closed;
  for (const seen of ["now() - interval '4 hours'", "now() + interval '1 year'"]) {
    await sql.script(`update host_state set seen_at = ${seen} where host = '${machines.patched.host}'`);
    await sweepQuiet(sql);
    await expect.poll(closed).toBe(1);
    expect(await names("cve=CVE-2026-1001&standing=closed")).toEqual(["newer"]);
    expect(await names("cve=CVE-2026-1001&standing=unknown")).toEqual(["other", "patched"]);
    await send(served, machines.patched.report(false));
    await expect.poll(closed).toBe(2);
  }
  // One that has never said what it has.
  const mute = new TestMachine("mute");
  await mute.enrol(served, await tokenOf(served));
  await expect.poll(async () => (await get("/v1/cves/CVE-2026-1001")).unknown).toBe(2);
  expect(await names("cve=CVE-2026-1001&standing=unknown")).toEqual(["mute", "other"]);
  expect((await served.ask("operator", "POST", `/v1/hosts/${mute.host}`, { state: "retired" })).status).toBe(200);
});

test("what is known is of now, whatever the clock does", async () => {
  const clock = vi.spyOn(Date, "now");
  const level = async () => ((await get("/v1/cves/CVE-2026-1001")).kernels as { machines: number }[]).length;
  const late = new TestMachine("late");
  await late.enrol(served, await tokenOf(served));
  const before = await level();
  clock.mockReturnValue(0);
  late.state = { ...STATE, release: "6.13.1-amd64", buildId: "0f".repeat(20), version: "6.13.1-1" };
  await send(served, late.report());
  await expect.poll(level).toBe(before + 1);
  clock.mockRestore();
  expect((await served.ask("operator", "POST", `/v1/hosts/${late.host}`, { state: "retired" })).status).toBe(200);
  await expect.poll(level).toBe(before);
});

test("the migration gives machines that had reported before the levels that their reports would", async () => {
  const { sql } = served.fleet.database;
  const text = readFileSync(join(import.meta.dirname, "../database/migrations/0007-levels.sql"), "utf8");
  const [, named = ""] = /(with known as \(.*?\n\)), put as \(/s.exec(text) ?? [];
  await sql.script(`create view levels_again as ${named} select host, id from named`);
  const rows = await sql<{ id: string; level: string }>`select a.id, s.level from levels_again a join host_state s using (host)`;
  await sql`drop view levels_again`;
  expect(rows).toHaveLength(5);
  for (const { id, level } of rows) expect(id).toBe(level);
});

test("what is withdrawn could not be had any more: then a newer kernel is what helps", async () => {
  await withdraw(new Task(), signed.folder, short, { action: "do-not-load", reason: "a test", now: new Date() });
  await signed.signAll();
  await served.fleet.learner?.learn();
  expect(await get(`/v1/hosts/${machines.bare.host}`)).toMatchObject({ level: { reboot: [{ code: "left out" }] } });
  const { kernels } = (await get("/v1/kernels")) as { kernels: { release: string; machines: number }[] };
  expect(kernels.map(({ machines: n }) => n)).toEqual([1, 1, 1, 1]);
});

test("pages show it, what others wrote as text, and a page of review runs nothing", async () => {
  const page = async (url: string) => {
    const { status, body } = await served.ask("viewer", "GET", url);
    expect(status, url).toBe(200);
    return String(body.text);
  };
  expect(await page("/cves/CVE-2026-1002")).toContain("struct &lt;b&gt; has &quot;a&quot; new member");
  expect(await page("/cves?id=b.c")).toContain("CVE-2026-1002");
  expect(await page("/hosts?cve=CVE-2026-1001&state=&standing=")).toContain(machines.bare.host);
  expect(await page(`/hosts/${machines.bare.host}`)).toContain("effective level");
  expect(await page(`/livepatches/${full}`)).toContain("to the level of 6.1.192-2");
  expect(await page("/")).toContain("6.1.192-2");
  const review = await served.raw("viewer", `/livepatches/${full}/review`);
  expect(review.headers["content-security-policy"]).toMatch(/^sandbox; default-src 'none'/);
  expect(review.body).toContain(full);
});

test("what is said of a livepatch anew, under another number, takes the place of what was said before", async () => {
  const account = accountFor();
  const other = { ...account, cves: account.cves.map((cve) => (cve.id === "CVE-2026-1003" ? { ...cve, state: "unknown" as const } : cve)) };
  await signed.add("in_between", {}, { retire: 2 });
  expect(await signed.add("catch_up", manifestFor(account), { account: other, retire: 3 })).toBe(full);
  await served.fleet.learner?.learn();
  const { counter, cves } = (await get(`/v1/livepatches/${full}`)) as { counter: number; cves: { id: string; state: string }[] };
  expect(counter).toBe(4);
  expect(cves.find(({ id }) => id === "CVE-2026-1003")).toMatchObject({ state: "unknown" });
  expect(await get("/v1/cves/CVE-2026-1003")).toMatchObject({ closed: 1 });
});
