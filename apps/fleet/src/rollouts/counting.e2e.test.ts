/** Which machines count for a roll-out, and for what. */
import { placeOf } from "@suture/trust";
import { afterAll, beforeAll, expect, test } from "vitest";
import { STATE, send } from "../../test/machine.ts";
import { Rolling } from "../../test/rolling.ts";
import { planOf, type RolloutRow } from "./row.ts";
import { usualOf } from "./tally.ts";

let of: Rolling;
beforeAll(async () => {
  of = await Rolling.begin();
});
afterAll(() => of.served.fleet.close());

test("who has the livepatch some other way, or was not let in, takes no stage further; what goes wrong counts from all", async () => {
  const fix = await of.begun();
  const which = await of.exposed(fix.id);
  const others = of.machines.filter((machine) => !which.includes(machine));
  for (const machine of which)
    machine.state = { ...STATE, livepatches: [{ name: "fix", sha256: fix.livepatch, inEffect: true, kept: true }] };
  await send(of.served, ...which.map((machine) => machine.report()));
  await of.become(others, "kept", fix);
  await of.ticks();
  expect(await of.shown(fix.id)).toMatchObject({ phase: "rolling", stage: 0, why: expect.stringMatching(/^0 of at least 4/) });
  await of.become(others.slice(0, 1), "trouble", fix);
  await of.ticks();
  expect(await of.shown(fix.id)).toMatchObject({ phase: "held", tally: { crashed: 1 } });
  await of.over(fix);
});

test("what several reports in one batch say is all seen, not only the last", async () => {
  const fix = await of.begun();
  const which = await of.exposed(fix.id);
  const reports = which.flatMap((machine) => {
    machine.state = { ...STATE, intent: { sha256: fix.livepatch, rollOut: fix.id } };
    const intent = machine.report();
    machine.state = { ...STATE, livepatches: [{ name: "fix", sha256: fix.livepatch, inEffect: true, kept: true }] };
    return [intent, machine.report()];
  });
  await send(of.served, ...reports);
  await of.ticks();
  expect(await of.shown(fix.id)).toMatchObject({ stage: 1 });
  await of.over(fix);
});

test("a label counts that a machine has by its enrolment and names itself", async () => {
  const { sql } = of.served.fleet.database;
  const stages = [
    { name: "canary", label: "canary", percent: 100 },
    { name: "all", percent: 100 },
  ];
  const [claims, bears] = of.machines;
  if (claims === undefined || bears === undefined) throw new Error("no machines");
  for (const machine of [claims, bears]) machine.state = { ...STATE, labels: ["canary"] };
  await send(of.served, claims.report(), bears.report());
  await sql`update host set labels = '{canary}' where id = ${bears.host}`;
  const fix = await of.begun({ stages });
  expect(await of.shown(fix.id)).toMatchObject({ tally: { eligible: 1 } });
  for (const machine of [claims, bears]) {
    machine.state = { ...STATE, labels: ["canary"], intent: { sha256: fix.livepatch, rollOut: fix.id } };
    await send(of.served, machine.report());
    machine.state = { ...STATE, labels: ["canary"], livepatches: [{ name: "fix", sha256: fix.livepatch, inEffect: true, kept: true }] };
    await send(of.served, machine.report());
    await of.ticks();
    expect(await of.shown(fix.id)).toMatchObject({ stage: machine === bears ? 1 : 0 });
  }
  await of.over(fix);
});

test("a livepatch that goes wrong and cannot be taken out again has failed", async () => {
  const fix = await of.begun();
  await of.become((await of.exposed(fix.id)).slice(0, 1), "stuck", fix);
  await of.ticks();
  expect(await of.shown(fix.id)).toMatchObject({
    phase: "rolling",
    why: expect.stringContaining("0 of"),
    tally: { failed: 1, soaking: 0 },
  });
  await of.over(fix);
});

test("machines that took it and fall silent stop it, also when it is done", async () => {
  const fix = await of.begun();
  await of.agreed(fix.id, "promote");
  const which = of.machines.slice(0, 20);
  await of.become(which, "kept", fix);
  await of.age(which.slice(0, 6), 5 * 60);
  await of.ticks();
  expect(await of.shown(fix.id)).toMatchObject({
    phase: "held",
    why: expect.stringContaining("silent"),
    tally: { succeeded: 14, lost: 6 },
  });
  await send(of.served, ...which.map((machine) => machine.report()));
  expect(await of.shown(fix.id)).toMatchObject({ tally: { succeeded: 20, lost: 0 } });
  await of.over(fix);
});

test("resumed, a stage is passed by what is heard from then on", async () => {
  const fix = await of.begun();
  const which = await of.exposed(fix.id);
  await of.become(which, "kept", fix);
  await of.does("ada", fix.id, "hold");
  for (const who of ["ada", "bob"]) await of.does(who, fix.id, "approve");
  await of.does("olga", fix.id, "resume");
  await of.ticks();
  expect(await of.shown(fix.id)).toMatchObject({ phase: "rolling", stage: 0 });
  await send(of.served, ...which.map((machine) => machine.report(false)));
  await of.ticks();
  expect(await of.shown(fix.id)).toMatchObject({ phase: "rolling", stage: 1 });
  // Of those that were let in before it is not asked again.
  const share = (await of.out(fix.id))?.rings.find(({ label }) => label === "all")?.share ?? 0;
  const salt = (await of.out(fix.id))?.salt ?? "";
  const inside = of.machines.filter(({ machineId }) => placeOf(salt, machineId) < share).length;
  expect(await of.shown(fix.id)).toMatchObject({ tally: { eligible: inside - which.length } });
  await of.over(fix);
});

test("machines that boot again and again are not chance for all others", async () => {
  const { sql } = of.served.fleet.database;
  const fix = await of.begun();
  const [first, ...others] = await of.exposed(fix.id);
  const boots = of.machines.find((machine) => machine !== first && !others.includes(machine));
  if (first === undefined || boots === undefined) throw new Error("no machines");
  await sql`insert into host_event (host, what, detail) select ${boots.host}, 'booted', '' from generate_series(1, 500)`;
  await of.become([first], "intent", fix);
  first.bootId = "came down";
  await of.become([first], "nothing", fix);
  await of.ticks();
  expect(await of.shown(fix.id)).toMatchObject({ phase: "held", tally: { booted: 1 } });
  await of.over(fix);
});

test("what it is about to load by a roll-out that is held is not acknowledged, however old the policy is that it has", async () => {
  const fix = await of.begun();
  const [first, second] = await of.exposed(fix.id);
  if (first === undefined || second === undefined) throw new Error("nobody is let in");
  const intent = { sha256: fix.livepatch, rollOut: fix.id };
  first.state = { ...STATE, intent };
  expect(await send(of.served, first.report())).toEqual(["taken"]);
  await of.does("ada", fix.id, "hold");
  second.state = { ...STATE, intent };
  expect(await send(of.served, second.report(), first.report())).toEqual(["held", "held"]);
  // Of a roll-out that is none of the server's the policy alone tells.
  second.state = { ...STATE, intent: { ...intent, rollOut: "by-hand" } };
  expect(await send(of.served, second.report())).toEqual(["taken"]);
  await of.over(fix);
});

test("who is late for a beat is missing, however many of those that were report at once", async () => {
  const { sql } = of.served.fleet.database;
  const fix = await of.begun();
  const plan = planOf((await sql<RolloutRow>`select * from rollout where id = ${fix.id}`)[0] as RolloutRow);
  const usual = () => usualOf(sql, fix.id, plan.limits, new Date());
  const hosts = sql`select host from host_state order by host limit 5`;
  await sql`update host_state set seen_at = now()`;
  const { recent, overdue, heard } = await usual();
  expect([overdue, heard]).toEqual([0, recent]);
  await sql`update host_state set seen_at = now() - make_interval(secs => beat_seconds + 1000) where host in (${hosts})`;
  expect(await usual()).toMatchObject({ recent, overdue: 5, heard: recent - 5 });
  await sql`update host_state set seen_at = now() - interval '25 hours' where host in (${hosts})`;
  expect(await usual()).toMatchObject({ recent: recent - 5, overdue: 0 });
  await sql`update host_state set seen_at = now()`;
  await of.over(fix);
});

test("what boots in a fleet that is known for half a day is usual of half a day, not of a whole one", async () => {
  const { sql } = of.served.fleet.database;
  const fix = await of.begun();
  const plan = planOf((await sql<RolloutRow>`select * from rollout where id = ${fix.id}`)[0] as RolloutRow);
  const rate = async (): Promise<number> => (await usualOf(sql, fix.id, plan.limits, new Date())).bootRate;
  await sql`delete from host_event where what = 'booted'`;
  await sql`insert into host_event (host, what, detail) select id, 'booted', '' from host limit 20`;
  await sql`update host set enrolled_at = now() - interval '12 hours'`;
  expect(await rate()).toBeCloseTo(0.5 / 12);
  await sql`update host set enrolled_at = now()`;
  expect(await rate()).toBeCloseTo(0.5 / 6);
  await sql`update host set enrolled_at = now() - interval '1 year'`;
  expect(await rate()).toBeCloseTo(0.5 / 24);
  // Where all have it, their own boots before they took it are what is usual; those since are not, nor any of one on which it went wrong.
  await sql`insert into rollout_host (rollout, host, attempt, stage, outcome, why, at) select ${fix.id}, host, 1, 0, 'succeeded', '', now() + interval '1 second' from host_state`;
  expect(await rate()).toBeCloseTo(0.5 / 24, 3);
  await sql`update rollout_host set at = now() - interval '1 hour' where rollout = ${fix.id}`;
  expect(await rate()).toBe(0);
  await sql`update rollout_host set at = now() + interval '1 second', outcome = 'crashed' where rollout = ${fix.id}`;
  expect(await rate()).toBe(0);
  await sql`delete from rollout_host where rollout = ${fix.id}`;
  await sql`delete from host_event where what = 'booted'`;
  await of.over(fix);
});
