/** How many machines are how. */
import type { FleetHost } from "@suture/protocol";
import type { Sql, Statement } from "../database/sql.ts";
import { SILENT_SECONDS } from "./silent.ts";

/** Of `s`, a host's state. Nearly all are: who is not is looked up, and not the million that are. */
export const isApproved = (sql: Sql): Statement<Record<string, unknown>> =>
  sql`not exists (select from host h where h.id = s.host and h.state <> 'approved')`;

export interface Counts {
  all: number;
  pending: number;
  statuses: Partial<Record<FleetHost["status"], number>>;
}

export async function countsOf(sql: Sql): Promise<Counts> {
  const silent = new Date(Date.now() - SILENT_SECONDS * 1000);
  const rows = await sql<{ status: FleetHost["status"]; n: number }>`
    select case when s.seen_at < ${silent} then 'silent' else s.status end as status, count(*)::integer as n
    from host_state s where ${isApproved(sql)} group by 1
    union all select 'never seen', count(*)::integer from host where not heard and state = 'approved' having count(*) > 0`;
  const [waiting] = await sql<{ n: number }>`select count(*)::integer as n from host where state = 'pending'`;
  return {
    all: rows.reduce((sum, { n }) => sum + n, 0),
    pending: waiting?.n ?? 0,
    statuses: Object.fromEntries(rows.map(({ status, n }) => [status, n])),
  };
}
