/** Roll-outs: by people, by themselves, and as machines see them. */
import { randomBytes } from "node:crypto";
import { cpSync, rmSync } from "node:fs";
import { Task } from "@suture/task";
import { placeOf } from "@suture/trust";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { STATE, send, TestMachine, tokenOf } from "../../test/machine.ts";
import { Signed } from "../../test/repository.ts";
import { type Answered, dataFolder, Served } from "../../test/served.ts";
import { brokenAudit } from "../audit/audit.ts";
import { Steering } from "../steering/steering.ts";
import { newApiKey } from "../users/api-keys.ts";
import type { Role } from "../users/roles.ts";
import { tick } from "./tick.ts";

const base = dataFolder();
const signed = new Signed(base);
let served: Served;
let steering: Steering;
let machines: TestMachine[];
const people = new Map<string, string>();

beforeAll(async () => {
  await signed.begin();
  served = await Served.open(dataFolder(), signed);
  steering = new Steering(new Task(), signed);
  for (const [name, role] of [
    ["olga", "operator"],
    ["ada", "releaser"],
    ["bob", "releaser"],
  ] as const)
    people.set(name, (await newApiKey(served.fleet.database.sql, "test", { name, roles: [role] satisfies Role[] })).key);
  const token = await tokenOf(served);
  machines = Array.from({ length: 40 }, (_, i) => new TestMachine(`host-${i}`));
  for (let i = 0; i < machines.length; i += 10) await Promise.all(machines.slice(i, i + 10).map((machine) => machine.enrol(served, token)));
  await send(served, ...machines.map((machine) => machine.report()));
});
afterAll(() => served.fleet.close());

async function as(name: string, method: "GET" | "POST", url: string, body?: object): Promise<Answered> {
  const headers = { authorization: `Bearer ${people.get(name)}` };
  const answer = await served.fleet.server.inject({ method, url, headers, ...(body === undefined ? {} : { payload: body }) });
  return { status: answer.statusCode, body: answer.json() as Record<string, unknown> };
}
const does = (name: string, id: string, what: string): Promise<Answered> =>
  as(name, "POST", `/v1/rollouts/${id}/${what}`, what === "approve" ? {} : { why: "a test" });
const ticks = (now = new Date()): Promise<boolean> => tick(served.fleet.database.sql, steering, now);

interface Shown {
  phase: string;
  why: string;
  stage: number;
  attempt: number;
  tally: Record<string, number>;
}
async function shown(id: string): Promise<Shown> {
  const [found] = (await as("olga", "GET", `/v1/rollouts/${id}`)).body.rollouts as Shown[];
  if (found === undefined) throw new Error(id);
  return found;
}
const out = async (id: string) => (await signed.seen()).rollouts.find((one) => one.id === id);

const STAGES = [
  { name: "canary", hosts: 4, leastHosts: 4 },
  { name: "half", percent: 50, leastHosts: 8, leastHours: 1 },
  { name: "all", percent: 100, leastHosts: 10 },
];
let n = 0;

/** Approved, and started. */
async function begun(more: object = {}): Promise<{ id: string; livepatch: string }> {
  const id = `fix-${++n}`;
  const livepatch = await signed.add(`livepatch_${n}`);
  expect(await as("olga", "POST", "/v1/rollouts", { id, livepatch, stages: STAGES, ...more })).toMatchObject({ status: 200 });
  for (const who of ["ada", "bob"]) await does(who, id, "approve");
  expect(await does("olga", id, "start")).toMatchObject({ status: 200, body: { published: true } });
  return { id, livepatch };
}

/** Those that the policy lets in, by their own place. */
async function exposed(id: string): Promise<TestMachine[]> {
  const rollout = await out(id);
  if (rollout === undefined || rollout.state !== "rolling") return [];
  return machines.filter(
    ({ machineId }) => placeOf(rollout.salt, machineId) < (rollout.rings.find(({ label }) => label === "all")?.share ?? 0),
  );
}

async function become(
  which: readonly TestMachine[],
  what: "intent" | "kept" | "trouble" | "nothing",
  { id, livepatch }: { id: string; livepatch: string },
): Promise<void> {
  for (const machine of which)
    machine.state = {
      ...STATE,
      intent: what === "intent" ? { sha256: livepatch, rollOut: id } : null,
      livepatches: what === "kept" ? [{ name: "fix", sha256: livepatch, inEffect: true, kept: true }] : [],
      refused: what === "trouble" ? [{ sha256: livepatch, code: "AGENT_TROUBLE", why: "an oops" }] : [],
    };
  if (which.length > 0) await send(served, ...which.map((machine) => machine.report()));
}

describe("people", () => {
  test("production takes two who have not made it; each step follows from the one before", async () => {
    const livepatch = await signed.add("livepatch_people");
    const id = "people";
    expect(await as("ada", "POST", "/v1/rollouts", { id, livepatch, stages: STAGES })).toMatchObject({ status: 403 });
    expect(await as("olga", "POST", "/v1/rollouts", { id, livepatch: "0".repeat(64), stages: STAGES })).toMatchObject({ status: 404 });
    expect(await as("olga", "POST", "/v1/rollouts", { id, livepatch, stages: STAGES })).toMatchObject({ status: 200 });
    expect(await as("olga", "POST", "/v1/rollouts", { id, livepatch, stages: STAGES })).toMatchObject({ status: 409 });
    expect((await does("olga", id, "approve")).status).toBe(403);
    expect((await does("olga", id, "start")).status).toBe(409);
    expect((await does("ada", id, "approve")).body).toEqual({ needed: 1 });
    expect((await does("ada", id, "approve")).body).toEqual({ needed: 1 });
    expect((await does("olga", id, "start")).status).toBe(409);
    expect(await out(id)).toBeUndefined();
    expect((await does("bob", id, "approve")).body).toEqual({ needed: 0 });
    expect((await does("olga", id, "start")).status).toBe(200);
    expect((await exposed(id)).length).toBe(4);
    expect((await does("ada", id, "hold")).body).toEqual({ published: true });
    expect(await out(id)).toMatchObject({ state: "held" });
    // What was approved before is not any more.
    expect((await does("olga", id, "resume")).status).toBe(409);
    for (const who of ["ada", "bob"]) await does(who, id, "approve");
    expect((await does("olga", id, "resume")).status).toBe(200);
    expect(await shown(id)).toMatchObject({ phase: "rolling", attempt: 2 });
    expect((await does("ada", id, "withdraw")).status).toBe(200);
    expect(await out(id)).toMatchObject({ state: "withdrawn" });
    for (const what of ["resume", "hold", "start", "skip", "promote"])
      expect((await does(what === "skip" || what === "promote" ? "ada" : "olga", id, what)).status, what).toBe(409);
    expect(await brokenAudit(served.fleet.database.sql)).toBeUndefined();
  });

  test("a hold and approvals that race end held, or on its way by two approvals after the hold", async () => {
    const livepatch = await signed.add("livepatch_race");
    for (let i = 0; i < 4; i++) {
      const id = `race-${i}`;
      await as("olga", "POST", "/v1/rollouts", { id, livepatch, stages: STAGES });
      for (const who of ["ada", "bob"]) await does(who, id, "approve");
      await does("olga", id, "start");
      await Promise.all([
        does("ada", id, "hold"),
        does("ada", id, "approve"),
        does("bob", id, "approve"),
        does("olga", id, "resume"),
        ticks(),
      ]);
      await ticks();
      const { phase, attempt } = await shown(id);
      expect([phase, attempt]).toEqual(phase === "held" ? ["held", 1] : ["rolling", 2]);
      expect((await out(id))?.state).toBe(phase === "held" ? "held" : "rolling");
      await does("ada", id, "withdraw");
    }
  });
});

describe("by itself", () => {
  test("stage by stage, by successes and hours, until all have it; no stage is passed twice, whoever looks and how often", async () => {
    const { sql } = served.fleet.database;
    const of = await begun();
    const seen: number[] = [];
    for (let round = 0; round < 12; round++) {
      const which = await exposed(of.id);
      seen.push(which.length);
      await become(which, "kept", of);
      await sql`update rollout set stage_since = stage_since - interval '2 hours' where id = ${of.id}`;
      // Two servers, at the same time.
      await Promise.all([ticks(), ticks(), ticks()]);
      if ((await shown(of.id)).phase === "done") break;
    }
    expect(await shown(of.id)).toMatchObject({ phase: "done", stage: 2 });
    expect(await out(of.id)).toMatchObject({ state: "done" });
    expect(seen[0]).toBe(4);
    expect(seen.every((count, i) => i === 0 || count >= (seen[i - 1] ?? 0))).toBe(true);
    const passed = await sql`select * from audit where about = ${of.id} and what in ('stage passed', 'roll-out done')`;
    expect(passed).toHaveLength(3);
    await does("ada", of.id, "withdraw");
    await become(machines, "nothing", of);
  });

  test("one oops in the canary holds it, at once and for machines too; resumed, it does not count again", async () => {
    const of = await begun();
    const which = await exposed(of.id);
    await become(which, "intent", of);
    await become(which.slice(0, 1), "trouble", of);
    await ticks();
    expect(await shown(of.id)).toMatchObject({ phase: "held", why: expect.stringContaining("trouble"), tally: { crashed: 1, soaking: 3 } });
    expect(await out(of.id)).toMatchObject({ state: "held" });
    expect(await exposed(of.id)).toEqual([]);
    for (const who of ["ada", "bob"]) await does(who, of.id, "approve");
    await does("olga", of.id, "resume");
    await ticks();
    expect(await shown(of.id)).toMatchObject({ phase: "rolling", attempt: 2, tally: { crashed: 0, soaking: 3 } });
    // One that was on trial through the hold counts when it goes wrong now.
    await become(which.slice(1, 2), "trouble", of);
    await ticks();
    expect(await shown(of.id)).toMatchObject({ phase: "held", attempt: 2, tally: { crashed: 1 } });
    await does("ada", of.id, "withdraw");
    await become(machines, "nothing", of);
  });

  test("a machine that comes up in another kernel after a trial, or keeps out what it had kept, stops it; also one that is done", async () => {
    const of = await begun();
    const [first, ...others] = await exposed(of.id);
    if (first === undefined) throw new Error("nobody is exposed");
    await become([first], "intent", of);
    Object.assign(first, { bootId: "another" });
    first.state = { ...STATE, buildId: "ff".repeat(20) };
    await send(served, first.report());
    await ticks();
    expect(await shown(of.id)).toMatchObject({ phase: "held", tally: { booted: 1 } });
    await does("ada", of.id, "withdraw");
    await become(machines, "nothing", of);

    const done = await begun();
    await does("ada", done.id, "promote");
    await become(others, "kept", done);
    expect(await shown(done.id)).toMatchObject({ phase: "done", tally: { succeeded: others.length } });
    for (const machine of others) {
      const offer = { sha256: done.livepatch, counter: 1, rollOut: done.id, obstacle: "quarantined", why: "it brought the machine down" };
      machine.state = { ...STATE, offers: [offer] };
    }
    await send(served, ...others.map((machine) => machine.report()));
    await ticks();
    expect(await shown(done.id)).toMatchObject({ phase: "held", tally: { crashed: others.length } });
    expect(await out(done.id)).toMatchObject({ state: "held" });
    await does("ada", done.id, "withdraw");
    await become(machines, "nothing", done);
  });

  test("silence after it was announced holds it; where all are silent it pauses, and goes on by itself", async () => {
    const { sql } = served.fleet.database;
    const of = await begun();
    const which = await exposed(of.id);
    await become(which, "intent", of);
    const others = machines.filter((machine) => !which.includes(machine));
    const age = (of_: readonly TestMachine[], minutes: number) =>
      sql`update host_state set seen_at = now() - ${`${minutes} minutes`}::interval where host = any(${of_.map(({ host }) => host)})`;
    await age(machines, 40);
    await ticks();
    expect(await shown(of.id)).toMatchObject({ phase: "paused", why: expect.stringContaining("network") });
    expect(await out(of.id)).toMatchObject({ state: "held" });
    await send(served, ...machines.map((machine) => machine.report(false)));
    await ticks();
    expect(await shown(of.id)).toMatchObject({ phase: "rolling", attempt: 1 });
    await send(served, ...others.map((machine) => machine.report(false)));
    await age(which, 40);
    await ticks();
    expect(await shown(of.id)).toMatchObject({ phase: "held", why: expect.stringContaining("silent"), tally: { silent: 4 } });
    await does("ada", of.id, "withdraw");
    await become(machines, "nothing", of);
  });

  test("a machine that said it would and did not is exposed no more", async () => {
    const of = await begun();
    const which = await exposed(of.id);
    await become(which, "intent", of);
    expect(await shown(of.id)).toMatchObject({ tally: { exposed: 4 } });
    await become(which, "nothing", of);
    expect(await shown(of.id)).toMatchObject({ tally: { exposed: 0 } });
    await does("ada", of.id, "withdraw");
  });
});

describe("faults", () => {
  test("a roll-out of the policy that the database does not know is not taken over by one of its name", async () => {
    const { id } = await begun();
    await does("olga", id, "withdraw");
    const { sql } = served.fleet.database;
    await sql`delete from rollout_host where rollout = ${id}`;
    await sql`delete from rollout_approval where rollout = ${id}`;
    await sql`delete from rollout where id = ${id}`;
    const livepatch = await signed.add("livepatch_other");
    expect(await as("olga", "POST", "/v1/rollouts", { id, livepatch, stages: STAGES })).toMatchObject({
      status: 409,
      body: { error: { code: "FLEET_STATE", why: expect.stringContaining("policy") } },
    });
  });

  test("a database of yesterday lets nothing go on that was held since", async () => {
    const { sql } = served.fleet.database;
    const of = await begun();
    const before = await sql`select * from rollout where id = ${of.id}`;
    const [known] = await sql<{ policy_version: number }>`select policy_version from steering`;
    await does("olga", of.id, "hold");
    expect(await out(of.id)).toMatchObject({ state: "held" });
    // As pg_restore would have it.
    await sql`update rollout set phase = ${before[0]?.phase} where id = ${of.id}`;
    await sql`update steering set policy_version = ${known?.policy_version}`;
    await ticks();
    expect(await shown(of.id)).toMatchObject({ phase: "held", why: expect.stringContaining("newer policy") });
    expect(await out(of.id)).toMatchObject({ state: "held" });
    await does("ada", of.id, "withdraw");
  });

  test("a policy that cannot be published is decided all the same, and out as soon as it can be", async () => {
    const of = await begun();
    const kept = `${base}/kept-${randomBytes(4).toString("hex")}`;
    cpSync(signed.folder, kept, { recursive: true });
    rmSync(signed.folder, { recursive: true });
    expect((await does("olga", of.id, "hold")).body).toEqual({ published: false });
    expect(await shown(of.id)).toMatchObject({ phase: "held" });
    cpSync(kept, signed.folder, { recursive: true });
    await ticks();
    expect(await out(of.id)).toMatchObject({ state: "held" });
    await does("ada", of.id, "withdraw");
  });
});
