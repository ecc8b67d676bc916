/** What other people have said to a roll-out's next step. */
import type { Approvable } from "@suture/protocol";
import { audit } from "../audit/audit.ts";
import type { Sql, Within } from "../database/sql.ts";
import { fail } from "../errors.ts";
import type { Principal } from "../users/roles.ts";
import { locked } from "./lock.ts";
import type { RolloutRow } from "./row.ts";

const OF_PRODUCTION = 2;

/** In which it may be approved. Resuming is a start. */
const PHASES = { start: ["draft", "approved", "held"], skip: ["rolling"], promote: ["rolling"] } as const;

/** How many more it takes: of people who may still approve. */
export async function needed(within: Within, { id, production }: RolloutRow, what: Approvable): Promise<number> {
  const [counted] = await within<{ n: number }>`
    select count(*)::integer as n from rollout_approval a where a.rollout = ${id} and a.what = ${what}
      and exists (select from standing s where s.person = a.person and s.role = 'releaser')`;
  return Math.max(0, (production ? OF_PRODUCTION : 1) - (counted?.n ?? 0));
}

/** @throws FLEET_STATE */
export async function demand(within: Within, row: RolloutRow, what: Approvable): Promise<void> {
  const more = await needed(within, row, what);
  if (more > 0) throw fail("FLEET_STATE", `it takes the approval of ${more} more, by people who may still approve`);
}

/** Of production by two people, none of whom has made it: as many as are still needed are told. @throws FLEET_STATE */
export async function approve(sql: Sql, { name, person }: Principal, id: string, what: Approvable): Promise<{ needed: number }> {
  return sql.begin(async (within) => {
    const row = await locked(within, id, PHASES[what], `approval of a ${what}`);
    if (row.production && row.made_by_person === person)
      throw fail("FLEET_STATE", `${name} has made it: others approve what goes to production`);
    await within`insert into rollout_approval (rollout, what, person, who) values (${id}, ${what}, ${person}, ${name}) on conflict do nothing`;
    const more = await needed(within, row, what);
    await audit(within, {
      who: name,
      what: `${what} approved`,
      about: id,
      detail: { attempt: row.attempt, stage: row.stage, needed: more },
    });
    if (more === 0 && row.phase === "draft")
      await within`update rollout set phase = 'approved', why = 'it waits to be started' where id = ${id}`;
    return { needed: more };
  });
}
