/** A roll-out in numbers: what its machines do, and what all others do in the same time. */
import type { Limits, Tally } from "@suture/protocol";
import { placeOf } from "@suture/trust";
import type { Within } from "../database/sql.ts";
import type { Here, Usual } from "./engine/verdict.ts";
import type { RolloutRow } from "./row.ts";

/** Of one that was not heard of for longer something is amiss, or it was switched off. */
const SILENT_BEATS = 3;
const SILENT_MORE_SECONDS = 600;
/** Who is gone for longer than this is thought to be gone for good, and says nothing any more. */
const GONE_HOURS = 24;
const LEAST_HOURS = 6;
/** Agents look each ten minutes. */
const LATE_SECONDS = 900;

/** Of a machine's row `s`. */
const silentSince = (sql: Within, now: Date) =>
  sql`${now}::timestamptz - make_interval(secs => ${SILENT_BEATS} * s.beat_seconds + ${SILENT_MORE_SECONDS})`;
const isNotGone = (sql: Within, now: Date) =>
  sql`s.seen_at >= ${now}::timestamptz - make_interval(hours => ${GONE_HOURS}, secs => ${SILENT_BEATS} * s.beat_seconds)`;

export interface Counted {
  tally: Tally;
  /** Of the stage that is on: by these it goes on. */
  here: Here;
}

/** Failures of attempts before do not count again; successes do, of those that are still heard of. */
export async function tallyOf(sql: Within, row: RolloutRow, { silentMinutes }: Limits, now: Date): Promise<Counted> {
  const { id, attempt, stage, stage_since, eligible } = row;
  const since = new Date(now.getTime() - silentMinutes * 60_000);
  const [counted] = await sql<Omit<Tally, "eligible"> & { h_succeeded: number; h_wrong: number; h_open: number; h_exposed: number }>`
    select count(*) filter (where counts)::integer as exposed,
      count(*) filter (where outcome = 'succeeded' and not lost)::integer as succeeded,
      count(*) filter (where outcome = 'succeeded' and lost)::integer as lost,
      count(*) filter (where counts and outcome = 'soaking' and not silent)::integer as soaking,
      count(*) filter (where counts and outcome = 'soaking' and silent)::integer as silent,
      count(*) filter (where counts and outcome = 'failed')::integer as failed,
      count(*) filter (where counts and outcome = 'crashed')::integer as crashed,
      count(*) filter (where counts and outcome = 'booted')::integer as booted,
      count(*) filter (where counts and outcome = 'refused')::integer as refused,
      count(*) filter (where here and outcome = 'succeeded' and not lost and heard)::integer as h_succeeded,
      count(*) filter (where here and outcome not in ('succeeded', 'soaking'))::integer as h_wrong,
      count(*) filter (where here and counts and outcome = 'soaking')::integer as h_open,
      count(*) filter (where here and counts)::integer as h_exposed
    from (select r.outcome, r.attempt = ${attempt} or r.outcome = 'succeeded' as counts, r.invited and r.stage = ${stage} as here,
        coalesce(s.seen_at < ${since}, true) as silent, coalesce(s.seen_at >= ${stage_since}, false) as heard,
        coalesce(s.seen_at < ${silentSince(sql, now)} and ${isNotGone(sql, now)}, false) as lost
      from rollout_host r left join host_state s on s.host = r.host where r.rollout = ${id}) as each`;
  const none = { exposed: 0, succeeded: 0, lost: 0, soaking: 0, silent: 0, failed: 0, crashed: 0, booted: 0, refused: 0 };
  const {
    h_succeeded: succeeded,
    h_wrong: wrong,
    h_open: open,
    h_exposed: exposed,
    ...tally
  } = counted ?? { ...none, h_succeeded: 0, h_wrong: 0, h_open: 0, h_exposed: 0 };
  return { tally: { ...tally, eligible }, here: { succeeded, wrong, open, exposed } };
}

/**
 * Of the machines that a roll-out does not concern; of boots, also of those that took it, before they did: where all have it nobody else is left to tell how
 * often machines boot. It reads all of them.
 */
export async function usualOf(sql: Within, id: string, { silentMinutes }: Limits, now: Date): Promise<Usual> {
  const day = new Date(now.getTime() - 24 * 3_600_000);
  const since = new Date(now.getTime() - silentMinutes * 60_000);
  const late = sql`make_interval(secs => s.beat_seconds + ${LATE_SECONDS})`;
  const [others] = await sql<{
    known: number;
    lost: number;
    expected: number;
    heard: number;
    recent: number;
    overdue: number;
    hours: number;
  }>`
    select count(*) filter (where other)::integer as known,
      count(*) filter (where other and s.seen_at < ${silentSince(sql, now)})::integer as lost,
      coalesce(sum(least(1, ${silentMinutes * 60}::real / s.beat_seconds)) filter (where other and s.seen_at >= ${day}), 0)::real as expected,
      count(*) filter (where other and s.seen_at >= ${since})::integer as heard,
      count(*) filter (where other and s.seen_at >= ${day})::integer as recent,
      count(*) filter (where other and s.seen_at >= ${day} and s.seen_at < ${now}::timestamptz - ${late})::integer as overdue,
      -- Of a machine that came half a day ago the boots of half a day are known. Of few hours little is: then rather a halt too many.
      coalesce(sum(greatest(0, greatest(${LEAST_HOURS}::real, least(24, extract(epoch from ${now}::timestamptz - s.enrolled_at) / 3600))
        - coalesce(extract(epoch from ${now}::timestamptz - s.at) / 3600, 0))) filter (where other or outcome in ('soaking', 'succeeded')), 0)::real as hours
    from (select s.seen_at, s.beat_seconds, h.enrolled_at, r.at, r.outcome, r.host is null as other
      from host_state s join host h on h.id = s.host left join rollout_host r on r.rollout = ${id} and r.host = s.host where h.state = 'approved') s
    where ${isNotGone(sql, now)}`;
  // Machines, not boots: one that boots again and again is one.
  const [boots] = await sql<{ n: number }>`
    select count(distinct e.host)::integer as n from host_event e left join rollout_host r on r.rollout = ${id} and r.host = e.host
    where e.what = 'booted' and e.at >= ${day} and (r.host is null or r.outcome in ('soaking', 'succeeded') and e.at < r.at)`;
  const { known = 0, lost = 0, expected = 0, heard = 0, recent = 0, overdue = 0, hours = 0 } = others ?? {};
  return { known, lost, expected, heard, recent, overdue, bootRate: hours <= 0 ? 0 : (boots?.n ?? 0) / hours };
}

/** The machines with that label for which the livepatch is. What a machine says of itself alone is no label. */
export async function machinesOf(sql: Within, { build_id, channel }: RolloutRow, label: string): Promise<string[]> {
  const machines = await sql<{ machine_id: string }>`
    select h.machine_id from host h join host_state s on s.host = h.id
    where h.state = 'approved' and s.build_id = ${build_id} and s.channel = ${channel}
      and (${label} = 'all' or ${label} = any (h.labels) and s.report->'labels' @> ${JSON.stringify([label])}::text::jsonb)`;
  return machines.map(({ machine_id }) => machine_id);
}

export async function placesOf(sql: Within, row: RolloutRow, label: string): Promise<number[]> {
  return (await machinesOf(sql, row, label)).map((machine) => placeOf(row.salt ?? "", machine));
}
