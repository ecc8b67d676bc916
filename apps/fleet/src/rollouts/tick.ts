/** What happens by itself, again and again: each roll-out is looked at, and the policy is made to say what the database says. Of several servers one does it at a time. */
import type { Rollout } from "@suture/protocol";
import type { RolloutChange } from "@suture/trust";
import type { Sql, Within } from "../database/sql.ts";
import type { Steering } from "../steering/steering.ts";
import { saltFor } from "./engine/salt.ts";
import { ringsOf } from "./engine/share.ts";
import { haltOf, type Verdict, verdictOf } from "./engine/verdict.ts";
import { change } from "./lock.ts";
import { holdIfRestored, mark } from "./restored.ts";
import { planOf, type RolloutRow } from "./row.ts";
import { machinesOf, placesOf, tallyOf, usualOf } from "./tally.ts";

const TICK_LOCK = 7_710_004;
const ITSELF = "the server";

/**
 * @returns false if another server is at it
 * @throws TRUST_*, FLEET_STEERING: what is decided is kept, and is published by the next one that can
 */
export async function tick(sql: Sql, steering: Steering): Promise<boolean> {
  return sql.begin(async (guard) => {
    const [lock] = await guard<{ mine: boolean }>`select pg_try_advisory_xact_lock(${TICK_LOCK}) as mine`;
    if (lock?.mine !== true) return false;
    // Of several servers each has a clock of its own.
    const [{ now } = { now: new Date() }] = await sql<{ now: Date }>`select clock_timestamp() as now`;
    await holdIfRestored(sql, steering, now);
    for (const { id } of await sql<{ id: string }>`select id from rollout where phase in ('rolling', 'paused', 'done') order by id`)
      await decide(sql, id, now);
    await publishAll(sql, steering, now);
    return true;
  });
}

async function decide(sql: Sql, id: string, now: Date): Promise<void> {
  await sql.begin(async (within) => {
    const [row] =
      await within<RolloutRow>`select * from rollout where id = ${id} and phase in ('rolling', 'paused', 'done') for no key update`;
    // Its stage is not out yet.
    if (row?.stage_since == null || row.rings_of !== row.stage) return;
    const plan = planOf(row);
    const { tally, here } = await tallyOf(within, row, plan.limits, now);
    const usual = await usualOf(within, id, plan.limits, now);
    const stageHours = (now.getTime() - row.stage_since.getTime()) / 3_600_000;
    const course = { ...plan, stage: row.stage, stageHours, soakSeconds: plan.soak, tally, here, usual };
    const verdict = row.phase === "done" ? haltOf(course) : verdictOf(course);
    if (verdict !== undefined) await carryOut(within, row, verdict);
  });
}

async function carryOut(within: Within, { id, phase, stage }: RolloutRow, verdict: Verdict): Promise<void> {
  const { why } = verdict;
  switch (verdict.do) {
    case "halt":
      return change(within, ITSELF, "roll-out halted", { id, phase: "held", why });
    case "pause":
      return phase === "paused" ? undefined : change(within, ITSELF, "roll-out paused", { id, phase: "paused", why });
    case "advance":
      return change(within, ITSELF, "stage passed", { id, phase: "rolling", why, stage: stage + 1, since: true });
    case "done":
      return change(within, ITSELF, "roll-out done", { id, phase: "done", why });
    case "wait":
      if (phase === "paused") return change(within, ITSELF, "roll-out goes on", { id, phase: "rolling", why });
      await within`update rollout set why = ${why} where id = ${id} and why <> ${why}`;
  }
}

const STATES: Readonly<Record<string, Rollout["state"]>> = {
  rolling: "rolling",
  paused: "held",
  held: "held",
  done: "done",
  withdrawn: "withdrawn",
};

/** What stops comes before what goes on, and one that cannot be published keeps none of the others from it. */
async function publishAll(sql: Sql, steering: Steering, now: Date): Promise<void> {
  const rows = await sql<RolloutRow>`
    select * from rollout where phase in ('rolling', 'paused', 'held', 'done', 'withdrawn') order by phase in ('rolling', 'done'), made_at, id`;
  const failures: unknown[] = [];
  for (const row of rows) await stage(sql, steering, row, now).catch((error: unknown) => failures.push(error));
  const due = await steering.due(now);
  if (due !== undefined) {
    if (due === "policy") await mark(sql, steering);
    await steering.publish(now);
  }
  if (failures.length > 0) throw failures[0];
}

/** Makes the policy to be published say of one roll-out what the database says. */
async function stage(sql: Sql, steering: Steering, row: RolloutRow, now: Date): Promise<void> {
  const state = STATES[row.phase];
  const was = (await steering.policy()).rollouts.find(({ id }) => id === row.id);
  // One that was never out needs no withdrawal; one that is withdrawn stays so.
  if (state === undefined || was?.state === "withdrawn" || (was === undefined && state === "withdrawn")) return;
  const plan = planOf(row);
  const salt = row.salt ?? was?.salt ?? (await drawn(sql, row));
  if (was === undefined) await steering.put({ ...wordsOf(row, plan), salt, state: "held" }, now);
  if (row.salt === null) await sql`update rollout set salt = ${salt} where id = ${row.id}`;
  const rings = row.rings_of === row.stage ? row.rings : await openRings(sql, { ...row, salt });
  const is = (await steering.policy()).rollouts.find(({ id }) => id === row.id);
  if (is !== undefined && is.state === state && JSON.stringify(is.rings) === JSON.stringify(rings)) return;
  await steering.put({ id: row.id, rings, state }, now);
}

async function drawn(sql: Sql, row: RolloutRow): Promise<string> {
  const { stages } = planOf(row);
  const machines = new Map<string, string[]>();
  for (const { label, hosts } of stages) if (hosts !== undefined) machines.set(label, await machinesOf(sql, row, label));
  return saltFor(stages, (label) => machines.get(label) ?? []);
}

function wordsOf(row: RolloutRow, { soak, windows }: ReturnType<typeof planOf>): RolloutChange {
  return { id: row.id, livepatch: row.livepatch, channel: row.channel, soak, windows };
}

/** Made once for each stage, with how many it lets in: machines that come later do not move it. */
async function openRings(sql: Sql, row: RolloutRow): Promise<Rollout["rings"]> {
  const { stages } = planOf(row);
  const places = new Map<string, number[]>();
  for (const label of new Set(stages.slice(0, row.stage + 1).map((stage) => stage.label)))
    places.set(label, await placesOf(sql, row, label));
  const rings = ringsOf(stages, row.stage, (label) => places.get(label) ?? []);
  const { label = "all" } = stages[row.stage] ?? {};
  const share = rings.find((ring) => ring.label === label)?.share ?? 0;
  const inside = (places.get(label) ?? []).filter((place) => place < share).length;
  const [earlier] = await sql<{ n: number }>`
    select count(*)::integer as n from rollout_host where rollout = ${row.id} and invited and stage < ${row.stage}`;
  await sql`
    update rollout set rings = ${JSON.stringify(rings)}::text::jsonb, rings_of = stage, eligible = ${Math.max(0, inside - (earlier?.n ?? 0))}
    where id = ${row.id} and stage = ${row.stage}`;
  return rings;
}
