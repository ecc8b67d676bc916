/** Machines as lists and pages show them. */
import type { FleetHost, HostLevel, HostReportState, HostState } from "@suture/protocol";
import type { Sql, Statement } from "../database/sql.ts";
import { fail } from "../errors.ts";
import type { Knowledge } from "../knowledge/knowledge.ts";
import { fewOf } from "./rare.ts";
import { type ByCve, SILENT_SECONDS, standsSo } from "./silent.ts";

export interface HostFilter {
  /** The beginning of its name. */
  name?: string | undefined;
  state?: HostState | undefined;
  buildId?: string | undefined;
  /** In its kernel, in effect. */
  livepatch?: string | undefined;
  status?: FleetHost["status"] | undefined;
  label?: string | undefined;
  /** Among machines that count. */
  cve?: ByCve | undefined;
  /** Of the last of the page before: its name and id. */
  after?: string | undefined;
  limit: number;
}

interface Row {
  id: string;
  name: string;
  state: HostState;
  labels: string[];
  enrolled_at: Date;
  seen_at: Date | null;
  release: string | null;
  build_id: string | null;
  channel: string | null;
  accepted: number | null;
  status: FleetHost["status"] | null;
}

/** Of `h`, a host, and `s`, its state. @param silent who was last heard of before that is silent */
export function conditionsOf(sql: Sql, filter: Omit<HostFilter, "limit" | "after">, silent: Date): Statement<Record<string, unknown>> {
  const { name, state, buildId, livepatch, status, label, cve } = filter;
  const where = [
    name === undefined ? undefined : sql`h.name >= ${name} and h.name < ${`${name}\u{10ffff}`}`,
    state === undefined ? undefined : sql`h.state = ${state}`,
    label === undefined ? undefined : sql`${label} = any (h.labels)`,
    cve === undefined ? undefined : sql`h.state = 'approved' and ${standsSo(sql, cve)}`,
    buildId === undefined ? undefined : sql`s.build_id = ${buildId}`,
    livepatch === undefined ? undefined : sql`s.level in (select id from level where ${livepatch} = any (livepatches))`,
    status === undefined
      ? undefined
      : status === "never seen"
        ? sql`s.host is null`
        : status === "silent"
          ? sql`s.seen_at < ${silent}`
          : sql`s.status = ${status} and s.seen_at >= ${silent}`,
  ].filter((condition) => condition !== undefined);
  return where.reduce((all, one) => sql`${all} and ${one}`, sql`true`);
}

/** By name. @throws FLEET_REQUEST */
export async function listHosts(sql: Sql, filter: HostFilter): Promise<{ hosts: FleetHost[]; next: string | null }> {
  const { limit } = filter;
  const after = filter.after === undefined ? undefined : placeOf(filter.after);
  const silent = new Date(Date.now() - SILENT_SECONDS * 1000);
  const few = await fewOf(sql, filter);
  const rows = await sql<Row>`
    select h.id, h.name, h.state, h.labels, h.enrolled_at, s.seen_at, s.release, s.build_id, s.channel, s.accepted, s.status
    from host h left join host_state s on s.host = h.id
    where ${conditionsOf(sql, filter, silent)} and ${few === undefined ? sql`true` : sql`h.id = any(${few})`} and ${after === undefined ? sql`true` : sql`(h.name, h.id) > (${after.name}, ${after.id})`}
    order by h.name, h.id limit ${limit + 1}`;
  const hosts = rows.slice(0, limit).map((row) => hostOf(row, silent));
  const last = hosts.at(-1);
  return { hosts, next: rows.length > limit && last !== undefined ? `${last.id}${last.name}` : null };
}

function placeOf(after: string): { name: string; id: string } {
  const [, id = "", name = ""] = /^([0-9a-f]{32})(.{1,253})$/.exec(after) ?? [];
  if (id === "") throw fail("FLEET_REQUEST", "`after` is none that was given");
  return { id, name };
}

function hostOf(row: Row, silent: Date): FleetHost {
  return {
    id: row.id,
    name: row.name,
    state: row.state,
    labels: row.labels,
    channel: row.channel,
    release: row.release,
    buildId: row.build_id,
    counter: row.accepted,
    status: row.seen_at === null ? "never seen" : row.seen_at < silent ? "silent" : (row.status ?? "never seen"),
    seen: row.seen_at?.toISOString() ?? null,
    enrolled: row.enrolled_at.toISOString(),
  };
}

export interface HostWhole {
  host: FleetHost;
  report: HostReportState | null;
  level: HostLevel | null;
  events: { at: string; what: string; detail: string }[];
}

const EVENTS = 200;

/** @throws FLEET_NONE */
export async function oneHost(sql: Sql, knowledge: Knowledge, id: string): Promise<HostWhole> {
  const [row] = await sql<Row & { report: HostReportState | null; level: string | null }>`
    select h.id, h.name, h.state, h.labels, h.enrolled_at, s.seen_at, s.release, s.build_id, s.channel, s.accepted, s.status, s.report, s.level
    from host h left join host_state s on s.host = h.id where h.id = ${id}`;
  if (row === undefined) throw fail("FLEET_NONE", `there is no host ${id}`);
  const events = await sql<{ at: Date; what: string; detail: string }>`
    select at, what, detail from host_event where host = ${id} order by n desc limit ${EVENTS}`;
  return {
    host: hostOf(row, new Date(Date.now() - SILENT_SECONDS * 1000)),
    report: row.report,
    level: await knowledge.host(row.level, row.report?.rebootWanted ?? []),
    events: events.map(({ at, what, detail }) => ({ at: at.toISOString(), what, detail })),
  };
}
