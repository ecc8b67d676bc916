/** Numbers of now, kept for lines. Of several servers each writes the same. */
import type { Sql } from "../database/sql.ts";
import type { Knowledge } from "../knowledge/knowledge.ts";

/** Of 90 days. By count, not by the clock: one that is wrong for a while takes nothing away. */
const HOURS_KEPT = 90 * 24;

/** @param done also those that are done, if they changed within a week: machines come later, and are many to count */
export async function sampleRollouts(sql: Sql, done: boolean): Promise<void> {
  await sql`
    insert into rollout_sample (rollout, at, exposed, succeeded, failed)
    select n.* from (
      select r.id, date_trunc('minute', now()) as at, count(h.host)::integer as exposed,
        count(h.host) filter (where h.outcome = 'succeeded')::integer as succeeded,
        count(h.host) filter (where h.outcome in ('failed', 'crashed', 'booted'))::integer as failed
      from rollout r left join rollout_host h on h.rollout = r.id
      where r.phase in ('rolling', 'paused', 'held') or r.phase = 'done' and (
        not exists (select from rollout_sample s where s.rollout = r.id)
        or ${done} and exists (select from rollout_sample s where s.rollout = r.id and s.at > now() - interval '7 days'))
      group by r.id) n
    left join lateral (select * from rollout_sample s where s.rollout = n.id and s.at <= now() order by s.at desc limit 1) as last on true
    where (last.exposed, last.succeeded, last.failed) is distinct from (n.exposed, n.succeeded, n.failed)
    on conflict (rollout, at) do update set exposed = excluded.exposed, succeeded = excluded.succeeded, failed = excluded.failed`;
}

export async function sampleLevels(sql: Sql, knowledge: Knowledge): Promise<void> {
  const sums = new Map<string, number>();
  for (const { level, machines } of await knowledge.kernels())
    sums.set(level ?? "not known", (sums.get(level ?? "not known") ?? 0) + machines);
  const rows = JSON.stringify([...sums].map(([level, machines]) => ({ level, machines })));
  await sql`
    insert into level_sample (at, level, machines)
    select date_trunc('hour', now()), level, machines from jsonb_to_recordset(${rows}::text::jsonb) as r (level text, machines integer) order by level
    on conflict (at, level) do update set machines = excluded.machines`;
  await sweepSamples(sql);
}

/** What is old; and what was written while the clock was ahead: where most is in what is the future, the clock is behind now. */
export async function sweepSamples(sql: Sql): Promise<void> {
  await sql`
    delete from level_sample where at < (select at from (select distinct at from level_sample) as hours order by at desc offset ${HOURS_KEPT - 1} limit 1)`;
  for (const table of [sql`level_sample`, sql`rollout_sample`])
    await sql`
      delete from ${table} where at > now() + interval '1 hour'
        and (select count(*) filter (where at > now()) * 2 < count(*) from ${table})`;
}

export interface Series {
  name: string;
  /** In the order of their times: milliseconds, and how many. */
  points: readonly (readonly [at: number, value: number])[];
}

export async function rolloutSeries(sql: Sql, id: string): Promise<Series[]> {
  const rows = await sql<{ at: Date; exposed: number; succeeded: number; failed: number }>`
    select at, exposed, succeeded, failed from rollout_sample where rollout = ${id} and at <= now() order by at desc limit 2000`;
  const all = [...rows].reverse();
  const of = (name: string, value: (row: (typeof all)[number]) => number): Series => ({
    name,
    points: all.map((row) => [row.at.getTime(), value(row)]),
  });
  return [
    of("exposed", ({ exposed }) => exposed),
    of("took and keep it", ({ succeeded }) => succeeded),
    of("failed", ({ failed }) => failed),
  ];
}

const MOST = 5;

/** The levels at which most machines are at the end, of a month. */
export async function levelSeries(sql: Sql): Promise<Series[]> {
  const rows = await sql<{ at: Date; level: string; machines: number }>`
    select at, level, machines from level_sample where at between now() - interval '31 days' and now() order by at`;
  const times = [...new Set(rows.map(({ at }) => at.getTime()))];
  const byLevel = new Map<string, Map<number, number>>();
  for (const { at, level, machines } of rows)
    byLevel.set(level, (byLevel.get(level) ?? new Map<number, number>()).set(at.getTime(), machines));
  const all = [...byLevel].map(([name, values]): Series => ({ name, points: times.map((at) => [at, values.get(at) ?? 0]) }));
  return all.sort((a, b) => (b.points.at(-1)?.[1] ?? 0) - (a.points.at(-1)?.[1] ?? 0)).slice(0, MOST);
}
