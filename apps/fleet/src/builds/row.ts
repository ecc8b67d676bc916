/** A build as the database has it. */
import type { BuildOptions, BuildState, FleetBuild } from "@suture/protocol";
import type { Sql } from "../database/sql.ts";
import { fail } from "../errors.ts";

export interface BuildRow {
  id: string;
  release: string;
  build_id: string;
  version: string | null;
  target_release: string;
  target_version: string | null;
  options: BuildOptions;
  by_setting: boolean;
  machines: number;
  state: BuildState;
  code: string;
  why: string;
  mend: string;
  stage: string;
  attempt: number;
  tries: number;
  builder: string | null;
  sha256: string | null;
  trial: string | null;
  folder: string | null;
  made_by: string;
  made_at: Date;
  started_at: Date | null;
  ended_at: Date | null;
  published: boolean;
}

const PAGE = 100;

/** All but the log, and whether a livepatch with its SHA-256 is signed. */
const selected = (sql: Sql) => sql`
  b.id, b.release, b.build_id, b.version, b.target_release, b.target_version, b.options, b.by_setting, b.machines, b.state, b.code, b.why, b.mend, b.stage,
  b.attempt, b.tries, b.builder, b.sha256, b.trial, b.folder, b.made_by, b.made_at, b.started_at, b.ended_at,
  exists (select from livepatch l where l.sha256 = b.sha256 and l.listed) as published`;

/** The newest first. @param before of the last of the page before: its time and id */
export async function buildsPage(sql: Sql, before: string | undefined): Promise<{ rows: BuildRow[]; next: string | null }> {
  const [, at = "", id = ""] = /^(\d{1,17})-([0-9a-f]{12})$/.exec(before ?? "") ?? [];
  if (before !== undefined && id === "") throw fail("FLEET_REQUEST", "`before` is none that was given");
  // To the microsecond: those that the setting asks for are all of one moment.
  const rows = await sql<BuildRow & { us: number }>`
    select ${selected(sql)}, (extract(epoch from b.made_at) * 1000000)::bigint as us from build b
    where ${before === undefined ? sql`true` : sql`(b.made_at, b.id) < (timestamptz 'epoch' + ${at}::bigint * interval '1 microsecond', ${id})`}
    order by b.made_at desc, b.id desc limit ${PAGE + 1}`;
  const last = rows[PAGE - 1];
  return { rows: rows.slice(0, PAGE), next: rows.length > PAGE && last !== undefined ? `${last.us}-${last.id}` : null };
}

/** @throws FLEET_NONE */
export async function oneBuild(sql: Sql, id: string): Promise<BuildRow & { log: string }> {
  const [row] = await sql<BuildRow & { log: string }>`select ${selected(sql)}, b.log from build b where b.id = ${id}`;
  if (row === undefined) throw fail("FLEET_NONE", `there is no build ${id}`);
  return row;
}

export function buildOf(row: BuildRow): FleetBuild {
  const { id, release, options, state, code, why, mend, stage, tries, machines, builder, sha256, trial, folder, published } = row;
  const iso = (time: Date | null): string | null => time?.toISOString() ?? null;
  return {
    id,
    release,
    buildId: row.build_id,
    targetRelease: row.target_release,
    options,
    version: row.version,
    targetVersion: row.target_version,
    state,
    code,
    why,
    mend,
    stage: state === "running" ? stage : "",
    tries,
    machines,
    builder,
    madeBy: row.made_by,
    made: row.made_at.toISOString(),
    started: iso(row.started_at),
    ended: iso(row.ended_at),
    sha256,
    trial,
    folder,
    published,
  };
}
