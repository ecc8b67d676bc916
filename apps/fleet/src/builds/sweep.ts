/** What nobody waits for any more: pieces of builders that died, and builds of long ago that were signed or are no good. */
import type { Sql } from "../database/sql.ts";
import type { BuildFolder } from "./files.ts";

/** Of those that are over, so many are kept; of those that wait to be signed all. */
const KEPT = 200;

export async function sweepBuilds(sql: Sql, folder: BuildFolder | undefined): Promise<void> {
  await sql`
    delete from build where id in (
      select id from build b where state not in ('waiting', 'running')
        and (state <> 'ready' or exists (select from livepatch l where l.sha256 = b.sha256))
      order by made_at desc, id desc offset ${KEPT})`;
  await sql`
    delete from builder b where b.seen_at < now() - interval '30 days' and exists (select from builder o where o.seen_at > now() - interval '1 day')`;
  if (folder === undefined) return;
  const { ids, partial } = await folder.all();
  const there = new Set((await sql<{ id: string }>`select id from build where id = any(${ids})`).map(({ id }) => id));
  for (const id of ids) if (!there.has(id)) await folder.remove(id);
  // Also of one that is not heard at the moment.
  const going = await sql<{
    id: string;
    attempt: number;
  }>`select id, attempt from build where state in ('waiting', 'running') and lease_until is not null`;
  for (const of of partial) if (!going.some(({ id, attempt }) => id === of.id && attempt === of.attempt)) await folder.drop(of);
}
