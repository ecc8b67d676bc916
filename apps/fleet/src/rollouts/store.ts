/** Roll-outs in the database: what people do to them, each in the audit. What is decided by itself is in tick.ts. */
import type { FleetRollout, NewRollout, RolloutPhase } from "@suture/protocol";
import type { VerifiedPatch } from "@suture/trust";
import { audit } from "../audit/audit.ts";
import type { Sql, Within } from "../database/sql.ts";
import { fail } from "../errors.ts";
import { planOf, type RolloutRow } from "./row.ts";
import { tallyOf } from "./tally.ts";

/**
 * As it was written down, and no more than that.
 * @param out what the repository has: its livepatches, and the roll-outs of its policy
 * @throws FLEET_STATE, FLEET_NONE
 */
export async function makeRollout(
  sql: Sql,
  who: string,
  plan: NewRollout,
  { livepatches, rollouts: known }: { livepatches: readonly VerifiedPatch[]; rollouts: readonly { id: string }[] },
): Promise<void> {
  const livepatch = livepatches.find(({ sha256 }) => sha256 === plan.livepatch);
  if (livepatch === undefined) throw fail("FLEET_NONE", `no livepatch ${plan.livepatch} is signed and published`);
  const { kernel, counter, proof } = livepatch.custom;
  if (!proof.proven && plan.production)
    throw fail("FLEET_STATE", `the livepatch ${livepatch.path} is not proven: it goes to no production`);
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
      made_by: who,
    };
    const made = await within`insert into rollout ${within.columns(row)} on conflict (id) do nothing`;
    if (made.count === 0) throw fail("FLEET_STATE", `there is a roll-out ${plan.id} already`);
    if (known.some(({ id }) => id === plan.id))
      throw fail(
        "FLEET_STATE",
        `the policy has a roll-out ${plan.id} already, of which this database does not know: it may be of another livepatch`,
      );
    await audit(within, { who, what: "roll-out made", about: plan.id, detail: { plan } });
  });
}

/** Of other phases it is refused. @throws FLEET_NONE, FLEET_STATE */
async function locked(within: Within, id: string, phases: readonly RolloutPhase[], what: string): Promise<RolloutRow> {
  const [row] = await within<RolloutRow>`select * from rollout where id = ${id} for update`;
  if (row === undefined) throw fail("FLEET_NONE", `there is no roll-out ${id}`);
  if (!phases.includes(row.phase))
    throw fail("FLEET_STATE", `${what} is for one that is ${phases.join(" or ")}; ${id} is ${row.phase}: ${row.why}`);
  return row;
}

export async function change(
  within: Within,
  who: string,
  what: string,
  { id, ...fields }: { id: string; phase?: RolloutPhase; why: string; stage?: number; attempt?: number; since?: true },
): Promise<void> {
  const { phase = null, why, stage = null, attempt = null, since = false } = fields;
  await within`
    update rollout set phase = coalesce(${phase}, phase), why = ${why}, stage = coalesce(${stage}::integer, stage),
      attempt = coalesce(${attempt}::integer, attempt), stage_since = case when ${since}::boolean then clock_timestamp() else stage_since end
    where id = ${id}`;
  await audit(within, { who, what, about: id, detail: fields });
}

/** Of production by two people, none of whom has made it: as many as are still needed are told. @throws FLEET_STATE */
export async function approve(sql: Sql, who: string, id: string): Promise<{ needed: number }> {
  return sql.begin(async (within) => {
    const row = await locked(within, id, ["draft", "held"], "approval");
    const { production } = planOf(row);
    if (production && row.made_by === who) throw fail("FLEET_STATE", `${who} has made it: others approve what goes to production`);
    await within`insert into rollout_approval (rollout, who) values (${id}, ${who}) on conflict do nothing`;
    const [counted] = await within<{ n: number }>`select count(*)::integer as n from rollout_approval where rollout = ${id}`;
    const needed = Math.max(0, (production ? 2 : 1) - (counted?.n ?? 0));
    await audit(within, { who, what: "roll-out approved", about: id, detail: { attempt: row.attempt, needed } });
    if (needed === 0 && row.phase === "draft")
      await within`update rollout set phase = 'approved', why = 'it waits to be started' where id = ${id}`;
    return { needed };
  });
}

export async function start(sql: Sql, who: string, id: string): Promise<void> {
  await sql.begin(async (within) => {
    await locked(within, id, ["approved"], "a start");
    await change(within, who, "roll-out started", { id, phase: "rolling", why: `started by ${who}`, stage: 0, since: true });
    await within`delete from rollout_approval where rollout = ${id}`;
  });
}

/** One person is enough. What was approved is not any more. */
export async function hold(sql: Sql, who: string, id: string, why: string): Promise<void> {
  await sql.begin(async (within) => {
    await locked(within, id, ["rolling", "paused", "done"], "a hold");
    await within`delete from rollout_approval where rollout = ${id}`;
    await change(within, who, "roll-out held", { id, phase: "held", why });
  });
}

/** It takes the approvals that a start takes. @throws FLEET_STATE */
export async function resume(sql: Sql, who: string, id: string, why: string): Promise<void> {
  await sql.begin(async (within) => {
    const row = await locked(within, id, ["held"], "resuming");
    const [counted] = await within<{ n: number }>`select count(*)::integer as n from rollout_approval where rollout = ${id}`;
    const needed = (planOf(row).production ? 2 : 1) - (counted?.n ?? 0);
    if (needed > 0) throw fail("FLEET_STATE", `it takes the approval of ${needed} more`);
    await within`delete from rollout_approval where rollout = ${id}`;
    // What is on trial, and is heard of, is on trial in this attempt.
    await within`
      update rollout_host set attempt = ${row.attempt + 1} where rollout = ${id} and outcome = 'soaking'
        and host in (select host from host_state where seen_at >= now() - make_interval(secs => ${planOf(row).limits.silentMinutes * 60}))`;
    // The hours of its stage begin anew: in those in which it was held nothing showed.
    await change(within, who, "roll-out resumed", { id, phase: "rolling", why, attempt: row.attempt + 1, since: true });
  });
}

/** The next stage begins now, whatever the one that is on has shown. */
export async function skip(sql: Sql, who: string, id: string, why: string): Promise<void> {
  await sql.begin(async (within) => {
    const row = await locked(within, id, ["rolling"], "skipping a stage");
    if (row.stage + 1 >= planOf(row).stages.length) throw fail("FLEET_STATE", "it is in its last stage");
    await change(within, who, "stage skipped", { id, why, stage: row.stage + 1, since: true });
  });
}

/** All machines of the channel take it from now on. */
export async function promote(sql: Sql, who: string, id: string, why: string): Promise<void> {
  await sql.begin(async (within) => {
    await locked(within, id, ["rolling"], "promoting");
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

/** The newest first. */
export async function rollouts(sql: Sql, id?: string): Promise<FleetRollout[]> {
  const rows = await sql<RolloutRow>`select * from rollout where ${id === undefined ? sql`true` : sql`id = ${id}`} order by made_at desc`;
  const approvals = await sql<{ rollout: string; who: string }>`select rollout, who from rollout_approval order by at`;
  const [{ now } = { now: new Date() }] = await sql<{ now: Date }>`select now() as now`;
  const found: FleetRollout[] = [];
  for (const row of rows) {
    const { phase, why, stage, stage_since, attempt, release, build_id, counter, made_by, made_at } = row;
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
      madeBy: made_by,
      made: made_at.toISOString(),
      approvedBy: approvals.filter(({ rollout }) => rollout === row.id).map(({ who }) => who),
      tally: (await tallyOf(sql, row, plan.limits, now)).tally,
    });
  }
  return found;
}
