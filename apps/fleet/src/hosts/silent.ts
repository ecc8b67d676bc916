/** Machines that are not heard of any more, and how machines stand to a CVE: of a silent one it is not known what it has. */
import type { CveStanding } from "@suture/protocol";
import type { Sql, Statement } from "../database/sql.ts";

/** Who was not heard of for longer than three of the hourly beats is silent. */
export const SILENT_SECONDS = 3 * 3600 + 600;

/** Who was last heard of before that is silent; who was heard of in what is the future, was so by a clock that was wrong. */
export const silentBefore = (sql: Sql): Statement<Record<string, unknown>> =>
  sql`s.seen_at not between now() - make_interval(secs => ${SILENT_SECONDS}) and now() + interval '10 minutes'`;

/** How machines stand to a CVE: by the levels that are open to it, and that are closed. */
export interface ByCve {
  standing: CveStanding;
  open: readonly string[];
  closed: readonly string[];
}

/** What a silent machine has is not known; nor of one whose level nothing is known of. */
export function standsSo(sql: Sql, { standing, open, closed }: ByCve): Statement<Record<string, unknown>> {
  if (standing === "open") return sql`s.level = any(${[...open]})`;
  if (standing === "closed") return sql`s.level = any(${[...closed]}) and not (${silentBefore(sql)})`;
  // Out of its sight the planner goes by name until it has enough: by what it knows of so few it would read, and sort, all machines.
  const known = sql`(select ${[...open, ...closed]}::text[])::text[]`;
  const good = sql`(select ${[...closed]}::text[])::text[]`;
  return sql`(s.level is null or s.level <> all(${known}) or s.level = any(${good}) and ${silentBefore(sql)})`;
}
