/** Roll-outs in the database: what people do to them, each in the audit. What is decided by itself is in tick.ts. */
import type { Approvable, FleetRollout, NewRollout, Tally } from "@suture/protocol";
import type { VerifiedPatch } from "@suture/trust";
import { audit } from "../audit/audit.ts";
import type { Sql } from "../database/sql.ts";
import { fail } from "../errors.ts";
import { Rested } from "../rested.ts";
import type { Principal } from "../users/roles.ts";
import { demand } from "./approvals.ts";
import { change, locked } from "./lock.ts";
import { planOf, type RolloutRow } from "./row.ts";
import { tallyOf } from "./tally.ts";

/** What there is to roll out, and where. */
export interface Means {
  livepatches: readonly VerifiedPatch[];
  /** Of the policy. */
  rollouts: readonly { id: string }[];
  /** In which there is no production. */
  trialChannels: readonly string[];
}

/**
 * As it was written down, and no more than that.
 * @throws FLEET_STATE, FLEET_NONE
 */
export async function makeRollout(
  sql: Sql,
  { name: who, person }: Principal,
  plan: NewRollout,
  { livepatches, rollouts: known, trialChannels }: Means,
): Promise<void> {
  const livepatch = livepatches.find(({ sha256 }) => sha256 === plan.livepatch);
  if (livepatch === undefined) throw fail("FLEET_NONE", `no livepatch ${plan.livepatch} is signed and published`);
  const { kernel, counter, proof } = livepatch.custom;
  const production = !trialChannels.includes(plan.channel);
  if (!proof.proven && production) throw fail("FLEET_STATE", `the livepatch ${livepatch.path} is not proven: it goes to no production`);
  await sql.begin(async (within) => {
    const row = {
      id: plan.id,
      plan: JSON.stringify(plan),
      livepatch: plan.livepatch,
      release: kernel.release,
      build_id: kernel.buildId,
      counter,
      channel: plan.channel,
      phase: "draft",
      why: "it waits for approval",
      production,
      made_by: who,
      made_by_person: person,
    };
    const made = await within`insert into rollout ${within.columns(row)} on conflict (id) do nothing`;
    if (made.count === 0) throw fail("FLEET_STATE", `there is a roll-out ${plan.id} already`);
    if (known.some(({ id }) => id === plan.id))
      throw fail(
        "FLEET_STATE",
        `the policy has a roll-out ${plan.id} already, of which this database does not know: it may be of another livepatch`,
      );
    await audit(within, { who, what: "roll-out made", about: plan.id, detail: { plan, production } });
  });
}

export async function start(sql: Sql, who: string, id: string, why: string): Promise<void> {
  await sql.begin(async (within) => {
    await demand(within, await locked(within, id, ["approved"], "a start"), "start");
    await change(within, who, "roll-out started", { id, phase: "rolling", why, stage: 0, since: true });
  });
}

/** One person is enough. What was approved is not any more. */
export async function hold(sql: Sql, who: string, id: string, why: string): Promise<void> {
  await sql.begin(async (within) => {
    await locked(within, id, ["rolling", "paused", "done"], "a hold");
    await change(within, who, "roll-out held", { id, phase: "held", why });
  });
}

/** It takes the approvals that a start takes. @throws FLEET_STATE */
export async function resume(sql: Sql, who: string, id: string, why: string): Promise<void> {
  await sql.begin(async (within) => {
    const row = await locked(within, id, ["held"], "resuming");
    await demand(within, row, "start");
    // What is on trial, and is heard of, is on trial in this attempt.
    await within`
      update rollout_host set attempt = ${row.attempt + 1} where rollout = ${id} and outcome = 'soaking'
        and host in (select host from host_state where seen_at >= now() - make_interval(secs => ${planOf(row).limits.silentMinutes * 60}))`;
    // The hours of its stage begin anew: in those in which it was held nothing showed.
    await change(within, who, "roll-out resumed", { id, phase: "rolling", why, attempt: row.attempt + 1, since: true });
  });
}

/** The next stage begins now, whatever the one that is on has shown. @param stage the one that is skipped */
export async function skip(sql: Sql, who: string, id: string, why: string, stage: number): Promise<void> {
  await sql.begin(async (within) => {
    const row = await locked(within, id, ["rolling"], "skipping a stage");
    if (row.stage !== stage) throw fail("FLEET_STATE", `it is in stage ${row.stage}, not in ${stage}`);
    await demand(within, row, "skip");
    if (row.stage + 1 >= planOf(row).stages.length) throw fail("FLEET_STATE", "it is in its last stage");
    await change(within, who, "stage skipped", { id, why, stage: row.stage + 1, since: true });
  });
}

/** All machines of the channel take it from now on. */
export async function promote(sql: Sql, who: string, id: string, why: string): Promise<void> {
  await sql.begin(async (within) => {
    await demand(within, await locked(within, id, ["rolling"], "promoting"), "promote");
    await change(within, who, "roll-out promoted", { id, phase: "done", why });
  });
}

/** Nothing is loaded by it any more, for ever; what is loaded stays. */
export async function withdrawRollout(sql: Sql, who: string, id: string, why: string): Promise<void> {
  await sql.begin(async (within) => {
    await locked(within, id, ["draft", "approved", "rolling", "paused", "held", "done"], "withdrawing");
    await change(within, who, "roll-out withdrawn", { id, phase: "withdrawn", why });
  });
}

interface Shown {
  row: RolloutRow;
  tally: Rested<Tally>;
}

/** Of a large one it takes long: what people look at is of a while ago then. What is decided is decided by what is so at the moment. */
const shown = new WeakMap<Sql, Map<string, Shown>>();

function tallyShown(sql: Sql, row: RolloutRow): Promise<Tally> {
  const all = shown.get(sql) ?? new Map<string, Shown>();
  shown.set(sql, all);
  const before = all.get(row.id);
  const isSame = before?.row.phase === row.phase && before.row.stage === row.stage && before.row.attempt === row.attempt;
  if (before !== undefined && isSame) {
    before.row = row;
    return before.tally.now();
  }
  const of: Shown = { row, tally: new Rested(() => tallyNow(sql, of.row), 0) };
  all.set(row.id, of);
  return of.tally.now();
}

async function tallyNow(sql: Sql, row: RolloutRow): Promise<Tally> {
  const [{ now } = { now: new Date() }] = await sql<{ now: Date }>`select now() as now`;
  return (await tallyOf(sql, row, planOf(row).limits, now)).tally;
}

/** The newest first. */
export async function rollouts(sql: Sql, id?: string): Promise<FleetRollout[]> {
  const rows = await sql<RolloutRow>`select * from rollout where ${id === undefined ? sql`true` : sql`id = ${id}`} order by made_at desc`;
  const approvals = await sql<{
    rollout: string;
    what: Approvable;
    who: string;
  }>`select rollout, what, who from rollout_approval order by at`;
  const found: FleetRollout[] = [];
  for (const row of rows) {
    const { phase, why, stage, stage_since, attempt, release, build_id, counter, production, made_by, made_at } = row;
    const plan = planOf(row);
    found.push({
      ...plan,
      phase,
      why,
      stage,
      stageSince: stage_since?.toISOString() ?? null,
      attempt,
      kernel: { release, buildId: build_id },
      counter,
      production,
      madeBy: made_by,
      made: made_at.toISOString(),
      approvedBy: approvals.filter(({ rollout }) => rollout === row.id).map(({ what, who }) => ({ what, who })),
      tally: await tallyShown(sql, row),
    });
  }
  return found;
}
