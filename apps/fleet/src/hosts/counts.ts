/** How many machines are how. */
import type { FleetHost } from "@suture/protocol";
import type { Sql } from "../database/sql.ts";
import { SILENT_SECONDS } from "./silent.ts";

export interface Counts {
  all: number;
  pending: number;
  statuses: Partial<Record<FleetHost["status"], number>>;
}

export async function countsOf(sql: Sql): Promise<Counts> {
  const silent = new Date(Date.now() - SILENT_SECONDS * 1000);
  const rows = await sql<{ status: FleetHost["status"]; n: number }>`
    select case when s.host is null then 'never seen' when s.seen_at < ${silent} then 'silent' else s.status end as status, count(*)::integer as n
    from host h left join host_state s on s.host = h.id where h.state = 'approved' group by 1`;
  const [waiting] = await sql<{ n: number }>`select count(*)::integer as n from host where state = 'pending'`;
  return {
    all: rows.reduce((sum, { n }) => sum + n, 0),
    pending: waiting?.n ?? 0,
    statuses: Object.fromEntries(rows.map(({ status, n }) => [status, n])),
  };
}
