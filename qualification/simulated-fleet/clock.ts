/** A clock of the database's, which the run sets: what the server reads as the time is a row of a table. It takes the time of nothing else. */
import type { Sql } from "../../apps/fleet/src/database/sql.ts";

/** Found before PostgreSQL's own by every session that begins after this; columns that are filled by themselves take it too. */
export async function installClock(sql: Sql, at: Date): Promise<void> {
  await sql.script(`
    create schema clock;
    create table clock.hand (at timestamptz not null);
    insert into clock.hand values ('${at.toISOString()}');
    create function clock.now() returns timestamptz language sql stable as 'select at from clock.hand';
    create function clock.clock_timestamp() returns timestamptz language sql volatile as 'select at from clock.hand';
    alter table host_event alter column at set default clock.now();
    alter table rollout_host alter column at set default clock.now();
    alter database postgres set search_path = clock, pg_catalog, public;`);
}

export async function setClock(sql: Sql, at: Date): Promise<void> {
  await sql`update clock.hand set at = ${at}`;
}
