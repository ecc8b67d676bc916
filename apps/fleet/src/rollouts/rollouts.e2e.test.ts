/** Roll-outs: by people, by themselves, and as machines see them. */
import { randomBytes } from "node:crypto";
import { cpSync, rmSync } from "node:fs";
import { Task } from "@suture/task";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { STATE, send } from "../../test/machine.ts";
import { Rolling, STAGES } from "../../test/rolling.ts";
import { brokenAudit } from "../audit/audit.ts";
import { Steering } from "../steering/steering.ts";

let of: Rolling;
beforeAll(async () => {
  of = await Rolling.begin();
});
afterAll(() => of.served.fleet.close());

describe("people", () => {
  test("production takes two who have not made it; each step follows from the one before", async () => {
    const livepatch = await of.signed.add("livepatch_people");
    const id = "people";
    expect(await of.as("ada", "POST", "/v1/rollouts", { id, livepatch, stages: STAGES })).toMatchObject({ status: 403 });
    expect(await of.as("olga", "POST", "/v1/rollouts", { id, livepatch: "0".repeat(64), stages: STAGES })).toMatchObject({ status: 404 });
    expect(await of.as("olga", "POST", "/v1/rollouts", { id, livepatch, stages: STAGES })).toMatchObject({ status: 200 });
    expect(await of.as("olga", "POST", "/v1/rollouts", { id, livepatch, stages: STAGES })).toMatchObject({ status: 409 });
    expect((await of.does("olga", id, "approve")).status).toBe(403);
    expect((await of.does("olga", id, "start")).status).toBe(409);
    expect((await of.does("ada", id, "approve")).body).toEqual({ needed: 1 });
    expect((await of.does("ada", id, "approve")).body).toEqual({ needed: 1 });
    expect((await of.does("olga", id, "start")).status).toBe(409);
    expect(await of.out(id)).toBeUndefined();
    expect((await of.does("bob", id, "approve")).body).toEqual({ needed: 0 });
    expect((await of.does("olga", id, "start")).status).toBe(200);
    expect((await of.exposed(id)).length).toBe(4);
    expect((await of.does("ada", id, "hold")).body).toEqual({ published: true });
    expect(await of.out(id)).toMatchObject({ state: "held" });
    // What was approved before is not any more.
    expect((await of.does("olga", id, "resume")).status).toBe(409);
    for (const who of ["ada", "bob"]) await of.does(who, id, "approve");
    expect((await of.does("olga", id, "resume")).status).toBe(200);
    expect(await of.shown(id)).toMatchObject({ phase: "rolling", attempt: 2 });
    expect((await of.does("ada", id, "withdraw")).status).toBe(200);
    expect(await of.out(id)).toMatchObject({ state: "withdrawn" });
    for (const what of ["resume", "hold", "start", "skip", "promote"])
      expect(
        (await of.does(what === "skip" || what === "promote" ? "ada" : "olga", id, what, what === "skip" ? { stage: 0 } : {})).status,
        what,
      ).toBe(409);
    expect(await brokenAudit(of.served.fleet.database.sql)).toBeUndefined();
  });

  test("a stage is skipped once, by two who name it; what was approved before a hold is not any more", async () => {
    const fix = await of.begun();
    expect((await of.does("ada", fix.id, "skip", { stage: 0 })).status).toBe(409);
    await of.does("ada", fix.id, "approve", { what: "skip" });
    expect((await of.does("ada", fix.id, "skip", { stage: 0 })).status).toBe(409);
    await of.does("bob", fix.id, "approve", { what: "skip" });
    // That is no word for a promotion.
    expect((await of.does("ada", fix.id, "promote")).status).toBe(409);
    const both = await Promise.all(["ada", "bob"].map((who) => of.does(who, fix.id, "skip", { stage: 0 })));
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(await of.shown(fix.id)).toMatchObject({ stage: 1, approvedBy: [] });
    for (const who of ["ada", "bob"]) await of.does(who, fix.id, "approve", { what: "promote" });
    await of.does("ada", fix.id, "hold");
    for (const who of ["ada", "bob"]) await of.does(who, fix.id, "approve");
    await of.does("olga", fix.id, "resume");
    expect((await of.does("ada", fix.id, "promote")).status).toBe(409);
    await of.over(fix);
  });

  test("a key that was revoked approves nothing any more, and all keys that somebody made are one person's", async () => {
    const { sql } = of.served.fleet.database;
    const fix = await of.approved();
    await sql`update api_key set revoked_at = now() where name = 'bob'`;
    expect((await of.does("olga", fix.id, "start")).status).toBe(409);
    await sql`update api_key set revoked_at = null where name = 'bob'`;
    expect((await of.does("olga", fix.id, "start")).status).toBe(200);
    await of.over(fix);
    const other = await of.approved({ id: "two-keys" });
    await of.does("olga", other.id, "start");
    await of.does("ada", other.id, "hold");
    const keys = await Promise.all(["one", "two"].map((name) => of.served.ask("admin", "POST", "/v1/keys", { name, roles: ["releaser"] })));
    const needed = [];
    for (const { body } of keys) {
      const headers = { authorization: `Bearer ${body.key}` };
      const answer = await of.served.fleet.server.inject({ method: "POST", url: `/v1/rollouts/${other.id}/approve`, headers, payload: {} });
      needed.push((answer.json() as { needed: number }).needed);
    }
    expect(needed).toEqual([1, 1]);
    await of.over(other);
  });

  test("one is enough in a channel of trials, and for nothing else", async () => {
    const livepatch = await of.signed.add("livepatch_trial");
    await of.as("olga", "POST", "/v1/rollouts", { id: "trial", livepatch, stages: STAGES, channel: "trial" });
    expect((await of.does("ada", "trial", "approve")).body).toEqual({ needed: 0 });
    expect(await of.as("olga", "POST", "/v1/rollouts", { id: "said", livepatch, stages: STAGES, production: false })).toMatchObject({
      status: 400,
    });
    await of.over({ id: "trial", livepatch });
  });

  test("a hold and approvals that race end held, or on its way by two approvals after the hold", async () => {
    const livepatch = await of.signed.add("livepatch_race");
    for (let i = 0; i < 4; i++) {
      const id = `race-${i}`;
      await of.as("olga", "POST", "/v1/rollouts", { id, livepatch, stages: STAGES });
      for (const who of ["ada", "bob"]) await of.does(who, id, "approve");
      await of.does("olga", id, "start");
      await Promise.all([
        of.does("ada", id, "hold"),
        of.does("ada", id, "approve"),
        of.does("bob", id, "approve"),
        of.does("olga", id, "resume"),
        of.ticks(),
      ]);
      await of.ticks();
      const { phase, attempt } = await of.shown(id);
      expect([phase, attempt]).toEqual(phase === "held" ? ["held", 1] : ["rolling", 2]);
      expect((await of.out(id))?.state).toBe(phase === "held" ? "held" : "rolling");
      await of.does("ada", id, "withdraw");
    }
  });
});

describe("by itself", () => {
  test("stage by stage, by successes and hours, until all have it; no stage is passed twice, whoever looks and how often", async () => {
    const { sql } = of.served.fleet.database;
    const fix = await of.begun();
    const seen: number[] = [];
    for (let round = 0; round < 12; round++) {
      const which = await of.exposed(fix.id);
      seen.push(which.length);
      await of.become(which, "kept", fix);
      await sql`update rollout set stage_since = stage_since - interval '2 hours' where id = ${fix.id}`;
      // Two servers, at the same time.
      await Promise.all([of.ticks(), of.ticks(), of.ticks()]);
      if ((await of.shown(fix.id)).phase === "done") break;
    }
    expect(await of.shown(fix.id)).toMatchObject({ phase: "done", stage: 2 });
    expect(await of.out(fix.id)).toMatchObject({ state: "done" });
    expect(seen[0]).toBe(4);
    expect(seen.every((count, i) => i === 0 || count >= (seen[i - 1] ?? 0))).toBe(true);
    const passed = await sql`select * from audit where about = ${fix.id} and what in ('stage passed', 'roll-out done')`;
    expect(passed).toHaveLength(3);
    await of.does("ada", fix.id, "withdraw");
    await of.become(of.machines, "nothing", fix);
  });

  test("one oops in the canary holds it, at once and for machines too; resumed, it does not count again", async () => {
    const fix = await of.begun();
    const which = await of.exposed(fix.id);
    await of.become(which, "intent", fix);
    await of.become(which.slice(0, 1), "trouble", fix);
    await of.ticks();
    expect(await of.shown(fix.id)).toMatchObject({
      phase: "held",
      why: expect.stringContaining("trouble"),
      tally: { crashed: 1, soaking: 3 },
    });
    expect(await of.out(fix.id)).toMatchObject({ state: "held" });
    expect(await of.exposed(fix.id)).toEqual([]);
    for (const who of ["ada", "bob"]) await of.does(who, fix.id, "approve");
    await of.does("olga", fix.id, "resume");
    await of.ticks();
    expect(await of.shown(fix.id)).toMatchObject({ phase: "rolling", attempt: 2, tally: { crashed: 0, soaking: 3 } });
    // One that was on trial through the hold counts when it goes wrong now.
    await of.become(which.slice(1, 2), "trouble", fix);
    await of.ticks();
    expect(await of.shown(fix.id)).toMatchObject({ phase: "held", attempt: 2, tally: { crashed: 1 } });
    await of.does("ada", fix.id, "withdraw");
    await of.become(of.machines, "nothing", fix);
  });

  test("a machine that comes up in another kernel after a trial, or keeps out what it had kept, stops it; also one that is done", async () => {
    const fix = await of.begun();
    const [first, ...others] = await of.exposed(fix.id);
    if (first === undefined) throw new Error("nobody is exposed");
    await of.become([first], "intent", fix);
    Object.assign(first, { bootId: "another" });
    first.state = { ...STATE, buildId: "ff".repeat(20) };
    await send(of.served, first.report());
    await of.ticks();
    expect(await of.shown(fix.id)).toMatchObject({ phase: "held", tally: { booted: 1 } });
    await of.does("ada", fix.id, "withdraw");
    await of.become(of.machines, "nothing", fix);

    const done = await of.begun();
    await of.agreed(done.id, "promote");
    await of.become(others, "kept", done);
    expect(await of.shown(done.id)).toMatchObject({ phase: "done", tally: { succeeded: others.length } });
    for (const machine of others) {
      const offer = { sha256: done.livepatch, counter: 1, rollOut: done.id, obstacle: "quarantined", why: "it brought the machine down" };
      machine.state = { ...STATE, offers: [offer] };
    }
    await send(of.served, ...others.map((machine) => machine.report()));
    await of.ticks();
    expect(await of.shown(done.id)).toMatchObject({ phase: "held", tally: { crashed: others.length } });
    expect(await of.out(done.id)).toMatchObject({ state: "held" });
    await of.does("ada", done.id, "withdraw");
    await of.become(of.machines, "nothing", done);
  });

  test("silence after it was announced holds it; where all are silent it pauses, and goes on by itself", async () => {
    const fix = await of.begun();
    const which = await of.exposed(fix.id);
    await of.become(which, "intent", fix);
    const others = of.machines.filter((machine) => !which.includes(machine));
    await of.age(of.machines, 40);
    await of.ticks();
    expect(await of.shown(fix.id)).toMatchObject({ phase: "paused", why: expect.stringContaining("network") });
    expect(await of.out(fix.id)).toMatchObject({ state: "held" });
    await send(of.served, ...of.machines.map((machine) => machine.report(false)));
    await of.ticks();
    expect(await of.shown(fix.id)).toMatchObject({ phase: "rolling", attempt: 1 });
    await send(of.served, ...others.map((machine) => machine.report(false)));
    await of.age(which, 40);
    await of.ticks();
    expect(await of.shown(fix.id)).toMatchObject({ phase: "held", why: expect.stringContaining("silent"), tally: { silent: 4 } });
    await of.does("ada", fix.id, "withdraw");
    await of.become(of.machines, "nothing", fix);
  });

  test("a machine that said it would and did not is exposed no more", async () => {
    const fix = await of.begun();
    const which = await of.exposed(fix.id);
    await of.become(which, "intent", fix);
    expect(await of.shown(fix.id)).toMatchObject({ tally: { exposed: 4 } });
    await of.become(which, "nothing", fix);
    expect(await of.shown(fix.id)).toMatchObject({ tally: { exposed: 0 } });
    await of.does("ada", fix.id, "withdraw");
  });
});

describe("faults", () => {
  test("a server whose keys are not enough for what it signs does not begin", async () => {
    const { folder, out, signers } = of.signed;
    const begin = (some: typeof signers) => new Steering(new Task(), { folder, out, signers: some }).check();
    await begin(signers);
    for (const some of [[], signers.slice(0, 1), signers.slice(1)])
      await expect(begin(some)).rejects.toMatchObject({ code: "FLEET_STEERING" });
  });

  test("a roll-out of the policy that the database does not know is not taken over by one of its name", async () => {
    const { id } = await of.begun();
    await of.does("olga", id, "withdraw");
    const { sql } = of.served.fleet.database;
    await sql`delete from rollout_host where rollout = ${id}`;
    await sql`delete from rollout_approval where rollout = ${id}`;
    await sql`delete from rollout where id = ${id}`;
    const livepatch = await of.signed.add("livepatch_other");
    expect(await of.as("olga", "POST", "/v1/rollouts", { id, livepatch, stages: STAGES })).toMatchObject({
      status: 409,
      body: { error: { code: "FLEET_STATE", why: expect.stringContaining("policy") } },
    });
  });

  test("a database of yesterday lets nothing go on that was held, begun or approved since", async () => {
    const { sql } = of.served.fleet.database;
    const fix = await of.begun();
    const approved = await of.approved();
    const kept = await sql`select * from steering`;
    await of.does("olga", fix.id, "hold");
    const later = await of.begun();
    // As pg_restore would have it.
    await sql`update rollout set phase = 'rolling' where id = ${fix.id}`;
    for (const table of [sql`rollout_host`, sql`rollout_approval`]) await sql`delete from ${table} where rollout = ${later.id}`;
    await sql`delete from rollout where id = ${later.id}`;
    await sql`update steering set mark = ${kept[0]?.mark}, previous = ${kept[0]?.previous}`;
    await of.ticks();
    expect(await of.shown(fix.id)).toMatchObject({ phase: "held", why: expect.stringContaining("back-up") });
    expect(await of.shown(approved.id)).toMatchObject({ phase: "draft", approvedBy: [] });
    for (const { id } of [fix, later]) expect(await of.out(id)).toMatchObject({ state: "held" });
    // Once: what a person resumes then goes on.
    for (const who of ["ada", "bob"]) await of.does(who, fix.id, "approve");
    await of.does("olga", fix.id, "resume");
    await of.ticks();
    expect(await of.shown(fix.id)).toMatchObject({ phase: "rolling" });
    for (const { id } of [fix, approved]) await of.does("ada", id, "withdraw");
  });

  test("a policy that cannot be published is decided all the same, and out as soon as it can be", async () => {
    const fix = await of.begun();
    const kept = `${of.base}/kept-${randomBytes(4).toString("hex")}`;
    cpSync(of.signed.folder, kept, { recursive: true });
    rmSync(of.signed.folder, { recursive: true });
    expect((await of.does("olga", fix.id, "hold")).body).toEqual({ published: false });
    expect(await of.shown(fix.id)).toMatchObject({ phase: "held" });
    cpSync(kept, of.signed.folder, { recursive: true });
    await of.ticks();
    expect(await of.out(fix.id)).toMatchObject({ state: "held" });
    await of.does("ada", fix.id, "withdraw");
  });
});
