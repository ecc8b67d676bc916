/**
 * What is to be built is given to builders, each to one at a time, for as long as that one says that it goes on. A builder that dies says nothing: what it had is given
 * out again, under another number, and what the dead one may still say counts no more. One that was only not heard, since the server or the network was away, goes on
 * with what nobody has taken meanwhile.
 */
import { randomBytes } from "node:crypto";
import { type BuildEnd, type BuildOptions, type BuildOrder, LONGEST_LOG } from "@suture/protocol";
import { audit } from "../audit/audit.ts";
import type { Sql, Within } from "../database/sql.ts";
import { fail } from "../errors.ts";

const ITSELF = "the server";
export const BEAT_SECONDS = 20;
const LEASE_SECONDS = 120;
/** Of one build. */
const HOURS = 24;
/** Given out so often without an end, it is given up. */
const MOST_TRIES = 3;
const AGAIN_MINUTES = 10;
/** One builder has no more of them at a time. */
const MOST_OF_ONE = 8;

export interface NewJob {
  release: string;
  buildId: string;
  version: string | null;
  targetRelease: string;
  targetVersion: string | null;
  options: BuildOptions;
  machines: number;
  bySetting: boolean;
  why: string;
}

/** @returns its id; undefined where the same is waiting or on its way */
export async function newBuild(within: Within, who: string, job: NewJob): Promise<string | undefined> {
  const id = randomBytes(6).toString("hex");
  const { release, buildId, version, targetRelease, targetVersion, machines, bySetting, why } = job;
  const made = await within`
    insert into build (id, release, build_id, version, target_release, target_version, options, by_setting, machines, why, made_by)
    values (${id}, ${release}, ${buildId}, ${version}, ${targetRelease}, ${targetVersion}, ${JSON.stringify(job.options)}::text::jsonb, ${bySetting}, ${machines},
      ${why}, ${who})
    on conflict do nothing`;
  if (made.count === 0) return undefined;
  await audit(within, { who, what: "build asked for", about: id, detail: { release, buildId, targetRelease, options: job.options, why } });
  return id;
}

interface Claimed {
  id: string;
  release: string;
  build_id: string;
  target_release: string;
  options: BuildOptions;
  attempt: number;
}

/** Of those that the builder says it can build for; what most machines run comes first. */
export async function claim(sql: Sql, builder: string): Promise<BuildOrder | null> {
  await giveBack(sql);
  return sql.begin(async (within) => {
    await within`insert into builder (name) values (${builder}) on conflict (name) do update set seen_at = now()`;
    // Whoever claims for one builder waits for the other: together they have no more than one may.
    await within`select from builder where name = ${builder} for update`;
    const [row] = await within<Claimed>`
      with mine as materialized (
        select b.id from build b
        where b.state = 'waiting' and (b.due_at <= now() or b.due_at > now() + interval '1 day')
          and (select count(*) from build r where r.state = 'running' and r.builder = ${builder}) < ${MOST_OF_ONE}
          and exists (select from archive_kernel k where k.builder = ${builder} and k.release = b.release and k.can)
          and exists (select from archive_kernel k where k.builder = ${builder} and k.release = b.target_release)
        order by b.machines desc, b.made_at limit 1 for update skip locked)
      update build b set state = 'running', attempt = b.attempt + 1, tries = b.tries + 1, builder = ${builder}, started_at = now(), ended_at = null, stage = '',
        log = '', code = '', why = 'it is being built', mend = '', lease_until = now() + make_interval(secs => ${LEASE_SECONDS})
      from mine where b.id = mine.id returning b.id, b.release, b.build_id, b.target_release, b.options, b.attempt`;
    if (row === undefined) return null;
    const { id, release, build_id: buildId, target_release: targetRelease, options, attempt } = row;
    await audit(within, { who: builder, what: "build begun", about: id, detail: { release, targetRelease, attempt } });
    return { id, release, buildId, targetRelease, options, attempt, beatSeconds: BEAT_SECONDS, hours: HOURS };
  });
}

export interface Claim {
  id: string;
  builder: string;
  attempt: number;
}

/** What waits and has a lease was taken from one that was not heard, and by nobody since. */
const isMine = (within: Within, { id, builder, attempt }: Claim) =>
  within`id = ${id} and builder = ${builder} and attempt = ${attempt} and (state = 'running' or (state = 'waiting' and lease_until is not null))`;

/** @throws FLEET_STATE where it is the builder's no more */
export async function held(within: Within, claimed: Claim): Promise<void> {
  if ((await within`select from build where ${isMine(within, claimed)}`).length === 0) throw lost(claimed);
}

const lost = ({ id, attempt }: Claim): Error =>
  fail("FLEET_STATE", `the build ${id} is not yours any more: number ${attempt} was given back, has ended, or was cancelled`);

/** @returns whether somebody waits for it still */
export async function beat(sql: Sql, claimed: Claim, { stage, log }: { stage: string; log: string }): Promise<boolean> {
  const goesOn = await sql.begin(async (within) => {
    const [row] = await within<{ state: string }>`
      select state from build where ${isMine(within, claimed)} and started_at > now() - make_interval(hours => ${HOURS}) for update`;
    if (row === undefined) return false;
    await within`
      update build set state = 'running', lease_until = now() + make_interval(secs => ${LEASE_SECONDS}), stage = ${stage},
        log = case when ${log} = '' then log else right(log || ${log}, ${LONGEST_LOG}) end
      where id = ${claimed.id}`;
    if (row.state === "running") return true;
    await within`update build set why = 'it is being built' where id = ${claimed.id}`;
    await audit(within, { who: claimed.builder, what: "build goes on", about: claimed.id, detail: { attempt: claimed.attempt } });
    return true;
  });
  await sql`update builder set seen_at = now() where name = ${claimed.builder} and seen_at not between now() - interval '1 minute' and now()`;
  return goesOn;
}

export type Ended = Omit<BuildEnd, "attempt" | "files" | "outcome"> & {
  outcome: Exclude<BuildEnd["outcome"], "built"> | "ready" | "bad";
  module?: { sha256: string; trial: string; folder: string };
};

/** @throws FLEET_STATE */
export async function ended(sql: Sql, claimed: Claim, { outcome, code, why, mend, module }: Ended): Promise<void> {
  await sql.begin(async (within) => {
    const [row] = await within<{ tries: number }>`select tries from build where ${isMine(within, claimed)} for update`;
    if (row === undefined) throw lost(claimed);
    const isAgain = outcome === "given back" || (outcome === "failed" && row.tries < MOST_TRIES);
    const wait = outcome === "given back" ? 0 : AGAIN_MINUTES * row.tries;
    const state = isAgain ? "waiting" : outcome;
    await within`
      update build set state = ${state}, code = ${code}, why = ${why}, mend = ${mend}, lease_until = null, stage = '',
        ended_at = case when ${isAgain} then null else now() end, due_at = now() + make_interval(mins => ${wait}),
        tries = case when ${outcome === "given back"} then greatest(tries - 1, 0) else tries end,
        sha256 = ${module?.sha256 ?? null}, trial = ${module?.trial ?? null}, folder = ${module?.folder ?? null}
      where id = ${claimed.id}`;
    const detail = { attempt: claimed.attempt, code, why, sha256: module?.sha256, trial: module?.trial };
    await audit(within, {
      who: claimed.builder,
      what: `build ${outcome === "nothing" ? "has nothing to carry" : outcome}`,
      about: claimed.id,
      detail,
    });
  });
}

/** Of builders that say nothing any more; a clock that is set back keeps none for ever. */
export async function giveBack(sql: Sql): Promise<void> {
  const isOver = sql`state = 'running' and lease_until not between now() and now() + make_interval(secs => ${2 * LEASE_SECONDS})`;
  if ((await sql`select from build where ${isOver} limit 1`).length === 0) return;
  await sql.begin(async (within) => {
    const rows = await within<{ id: string; builder: string; tries: number }>`
      select id, builder, tries from build where ${isOver} order by id for update skip locked`;
    for (const { id, builder, tries } of rows) {
      const isGivenUp = tries >= MOST_TRIES;
      const why = `nothing was heard of ${builder} for ${LEASE_SECONDS} seconds`;
      await within`
        update build set state = ${isGivenUp ? "failed" : "waiting"}, why = ${why}, code = '', stage = '', due_at = now(),
          lease_until = case when ${isGivenUp} then null else now() end,
          ended_at = case when ${isGivenUp} then now() end
        where id = ${id}`;
      await audit(within, { who: ITSELF, what: isGivenUp ? "build failed" : "build given back", about: id, detail: { why, tries } });
    }
  });
}

/** @throws FLEET_NONE, FLEET_STATE */
export async function cancelBuild(sql: Sql, who: string, id: string, why: string): Promise<void> {
  await step(sql, who, id, "build cancelled", why, (within) => within`state = 'cancelled', lease_until = null, ended_at = now()`, [
    "waiting",
    "running",
  ]);
}

/** Once more, from the beginning. @throws FLEET_NONE, FLEET_STATE */
export async function buildAgain(sql: Sql, who: string, id: string, why: string): Promise<void> {
  const set = (within: Within) =>
    within`state = 'waiting', code = '', mend = '', tries = 0, due_at = now(), lease_until = null, ended_at = null, sha256 = null, trial = null, folder = null`;
  // What is ready may be gone from the disk, or somebody does not trust who built it; what is signed is not asked for again.
  const [signed] =
    await sql`select from build b join livepatch l on l.sha256 = b.sha256 where b.id = ${id} and b.state = 'ready' and l.listed`;
  if (signed !== undefined) throw fail("FLEET_STATE", `what was built as ${id} is signed and published`);
  await step(sql, who, id, "build asked for again", why, set, ["ready", "nothing", "bad", "refused", "failed", "cancelled", "superseded"]);
}

async function step(
  sql: Sql,
  who: string,
  id: string,
  what: string,
  why: string,
  set: (within: Within) => PromiseLike<unknown>,
  states: readonly string[],
): Promise<void> {
  await sql.begin(async (within) => {
    const [row] = await within<{ state: string; build_id: string; target_release: string; options: BuildOptions }>`
      select state, build_id, target_release, options from build where id = ${id} for update`;
    if (row === undefined) throw fail("FLEET_NONE", `there is no build ${id}`);
    if (!states.includes(row.state)) throw fail("FLEET_STATE", `that is for a build that is ${states.join(" or ")}; ${id} is ${row.state}`);
    const [same] = await within<{ id: string }>`
      select id from build where build_id = ${row.build_id} and target_release = ${row.target_release} and options = ${JSON.stringify(row.options)}::text::jsonb
        and state in ('waiting', 'running') and id <> ${id}`;
    if (same !== undefined) throw fail("FLEET_STATE", `the same is built as ${same.id}`);
    await within`update build set ${set(within)}, why = ${why} where id = ${id}`;
    await audit(within, { who, what, about: id, detail: { why } });
  });
}
