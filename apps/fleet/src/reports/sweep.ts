import type { Sql } from "../database/sql.ts";

/** Levels at which no machine is any more. */
export async function sweepLevels(sql: Sql): Promise<void> {
  await sql`
    delete from level l where l.seen_at not between now() - interval '3 hours' and now() + interval '3 hours' and not exists (select from host_state s where s.level = l.id)`;
}
