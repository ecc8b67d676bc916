/** A roll-out in numbers: what its machines do, and what all others do in the same time. */
import type { NewRollout, Tally } from "@suture/protocol";
import { placeOf } from "@suture/trust";
import type { Within } from "../database/sql.ts";
import type { Usual } from "./engine/verdict.ts";
import type { RolloutRow } from "./row.ts";

/** As the agents do unless they are told otherwise. */
const BEAT_MINUTES = 60;

export interface Counted {
  tally: Tally;
  succeededHere: number;
  usual: Usual;
}

export async function tallyOf(sql: Within, row: RolloutRow, { limits, stages }: NewRollout, now: Date): Promise<Counted> {
  const since = new Date(now.getTime() - limits.silentMinutes * 60_000);
  const day = new Date(now.getTime() - 86_400_000);
  const { id, attempt, stage } = row;
  // Failures of attempts before do not count again; successes do.
  const [mine] = await sql<Omit<Tally, "eligible"> & { here: number; before: number }>`
    select count(*) filter (where counts)::integer as exposed,
      count(*) filter (where outcome = 'succeeded')::integer as succeeded,
      count(*) filter (where counts and outcome = 'soaking' and not silent)::integer as soaking,
      count(*) filter (where counts and outcome = 'soaking' and silent)::integer as silent,
      count(*) filter (where counts and outcome = 'failed')::integer as failed,
      count(*) filter (where counts and outcome = 'crashed')::integer as crashed,
      count(*) filter (where counts and outcome = 'booted')::integer as booted,
      count(*) filter (where counts and outcome = 'refused')::integer as refused,
      count(*) filter (where outcome = 'succeeded' and stage = ${stage})::integer as here,
      count(*) filter (where stage < ${stage})::integer as before
    from (select r.outcome, r.stage, r.attempt = ${attempt} or r.outcome = 'succeeded' as counts, coalesce(s.seen_at < ${since}, true) as silent
      from rollout_host r left join host_state s on s.host = r.host where r.rollout = ${id}) as each`;
  const [others] = await sql<{ all: number; heard: number }>`
    select count(*)::integer as all, count(*) filter (where s.seen_at >= ${since})::integer as heard
    from host_state s join host h on h.id = s.host
    where h.state = 'approved' and s.seen_at >= ${day} and not exists (select from rollout_host r where r.rollout = ${id} and r.host = s.host)`;
  const [boots] = await sql<{ n: number }>`select count(*)::integer as n from host_event where what = 'booted' and at >= ${day}`;
  const {
    here = 0,
    before = 0,
    ...counted
  } = mine ?? { exposed: 0, succeeded: 0, soaking: 0, silent: 0, failed: 0, crashed: 0, booted: 0, refused: 0 };
  const { all = 0, heard = 0 } = others ?? {};
  const on = stages[stage];
  const eligible =
    on === undefined || row.salt === null
      ? 0
      : (await placesOf(sql, row, on.label)).filter((place) => place < shareIn(row, on.label)).length;
  return {
    tally: { ...counted, eligible: Math.max(0, eligible - before) },
    succeededHere: here,
    usual: {
      expected: all * Math.min(1, limits.silentMinutes / BEAT_MINUTES),
      heard,
      bootRate: all === 0 ? 0 : Math.max(0, (boots?.n ?? 0) - counted.booted) / (all * 24),
    },
  };
}

const shareIn = ({ rings }: RolloutRow, label: string): number => rings.find((ring) => ring.label === label)?.share ?? 0;

/** The machines with that label for which the livepatch is. */
export async function machinesOf(sql: Within, { build_id, channel }: RolloutRow, label: string): Promise<string[]> {
  const machines = await sql<{ machine_id: string }>`
    select h.machine_id from host h join host_state s on s.host = h.id
    where h.state = 'approved' and s.build_id = ${build_id} and s.channel = ${channel}
      and (${label} = 'all' or s.report->'labels' @> ${JSON.stringify([label])}::text::jsonb)`;
  return machines.map(({ machine_id }) => machine_id);
}

export async function placesOf(sql: Within, row: RolloutRow, label: string): Promise<number[]> {
  return (await machinesOf(sql, row, label)).map((machine) => placeOf(row.salt ?? "", machine));
}
