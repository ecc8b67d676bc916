/**
 * Lists go by name, and end where a page is full: what is common is found at once, and what is rare only after all machines were looked at. So
 * what may be rare is looked for by itself first.
 */
import type { FleetHost } from "@suture/protocol";
import type { Sql, Statement } from "../database/sql.ts";
import { isSwept } from "./quiet.ts";
import { type ByCve, silentBefore } from "./silent.ts";

/** Of so many and more a page is full soon. */
const COMMON = 5000;

type Found = Statement<{ id: string }>;

/** Of a filter of machines. */
interface Part {
  status?: FleetHost["status"] | undefined;
  label?: string | undefined;
  cve?: ByCve | undefined;
}

/**
 * Of a part of the filter that few machines fit: their ids, which the whole filter is to be asked of.
 * @returns undefined if there is no such part
 */
export async function fewOf(sql: Sql, filter: Part): Promise<string[] | undefined> {
  for (const found of await looks(sql, filter)) {
    const rows = await sql<{ id: string }>`select id from (${found}) few limit ${COMMON}`;
    if (rows.length < COMMON) return rows.map(({ id }) => id);
  }
  return undefined;
}

async function looks(sql: Sql, { status, label, cve }: Part): Promise<Found[]> {
  const list: Found[] = [];
  if (status === "never seen") list.push(neverSeen(sql));
  if (label !== undefined) list.push(sql`select id from host where labels @> array[${label}]::text[]`);
  if ((status !== "silent" && cve?.standing !== "unknown") || !(await isSwept(sql))) return list;
  const silent: Found = sql`select host as id from host_state s where s.quiet and ${silentBefore(sql)}`;
  if (status === "silent") list.push(silent);
  if (cve?.standing === "unknown") {
    const levels = await sql<{ id: string }>`select id from level where id <> all(${[...cve.open, ...cve.closed]})`;
    const unknown = levels.map(({ id }) => id);
    // Of a silent one that is open to it that is known.
    list.push(
      sql`${neverSeen(sql)} union all ${silent} and s.level = any(${[...cve.closed]})
        union all select host from host_state where level is null or level = any(${unknown})`,
    );
  }
  return list;
}

const neverSeen = (sql: Sql): Found => sql`select id from host where not heard`;
