/** Machines that may be silent: noted now and then, so that those few are found without looking at when each of a million was heard of. */
import type { Sql } from "../database/sql.ts";
import { SILENT_SECONDS } from "./silent.ts";

/** So much before a machine is silent it is noted. */
const AHEAD_SECONDS = 1800;
/** What was noted then holds: nobody who was not quiet then is silent yet. */
const HOLDS_SECONDS = 1200;

export async function sweepQuiet(sql: Sql): Promise<void> {
  await sql.begin(async (within) => {
    // The moment from which it holds is before any machine is looked at.
    const [row] = await within<{ at: Date }>`select clock_timestamp() as at`;
    await within`
      update host_state set quiet = true where not quiet
        and seen_at not between now() - make_interval(secs => ${SILENT_SECONDS - AHEAD_SECONDS}) and now() + interval '1 minute'`;
    await within`insert into quiet_sweep (at) values (${row?.at}) on conflict (one) do update set at = excluded.at`;
  });
}

/** Whether all that are silent now are noted. By a clock that was set since, nothing is known. */
export async function isSwept(sql: Sql): Promise<boolean> {
  const [row] = await sql<{ good: boolean }>`
    select at between now() - make_interval(secs => ${HOLDS_SECONDS}) and now() as good from quiet_sweep`;
  return row?.good === true;
}
