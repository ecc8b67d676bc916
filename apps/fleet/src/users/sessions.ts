/** Who is logged in: a person, by a cookie with 256 random bits, of which the SHA-256 is kept. */
import { sha256 } from "@suture/files";
import { audit } from "../audit/audit.ts";
import type { Sql, Within } from "../database/sql.ts";
import { fail } from "../errors.ts";
import type { AccountRow } from "./accounts.ts";
import { digestOfSecret, newSecret } from "./api-keys.ts";
import { isPassword } from "./password.ts";
import type { Principal } from "./roles.ts";
import { stepOf } from "./second-factor.ts";

const PREFIX = "ss_";
const HOURS = 12;
const IDLE_MINUTES = 60;
/** After so many wrong tries the next one waits: twice as long after each, and a quarter of an hour at most. */
const FREE_TRIES = 5;
const LONGEST_WAIT = 900;
/** No code of now is of a later half minute: it was used when the clock was ahead. */
const AHEAD = 2;

export interface Login {
  name: string;
  password: string;
  code: string;
}

/** What a form sends back with its session, and another site cannot know. */
export const csrfOf = (session: string): string => sha256(`csrf\n${session}`);

/** @param before the session that is left */
export async function beginSession(within: Within, account: string, before: string | undefined): Promise<string> {
  const session = newSecret(PREFIX);
  await within`delete from session where account = ${account} and made_at < now() - make_interval(hours => ${HOURS})`;
  if (before !== undefined) await within`delete from session where digest = ${digestOfSecret(before)}`;
  await within`insert into session (digest, account) values (${digestOfSecret(session)}, ${account})`;
  return session;
}

/** @param before the session that is left. @returns the new one. @throws FLEET_LOGIN, FLEET_BUSY */
export async function logIn(sql: Sql, { name, password, code }: Login, before: string | undefined): Promise<string> {
  const [row] = await sql<AccountRow & { wait: number }>`
    select *, case when wrong < ${FREE_TRIES} or wrong_at > now() then 0
        else least(${LONGEST_WAIT}, power(2, least(wrong - ${FREE_TRIES}, 10))) - extract(epoch from now() - wrong_at) end::real as wait
    from account where name = ${name}`;
  if (row !== undefined && row.wait > 0)
    throw fail("FLEET_BUSY", `after ${row.wrong} wrong tries the next one is in ${Math.ceil(row.wait)} s`);
  const isRight = await isPassword(password, row?.password ?? undefined);
  const step = row?.second == null ? undefined : stepOf(name, row.second, code, Date.now());
  const session = await sql.begin(async (within) => {
    if (row === undefined || row.disabled_at !== null || !isRight || step === undefined) return undefined;
    // Of two at once with one code one comes in.
    const used =
      await within`update account set last_step = ${step}, wrong = 0 where name = ${name} and (last_step < ${step} or last_step > ${step + AHEAD}) and password = ${row.password}`;
    if (used.count === 0) return undefined;
    const begun = await beginSession(within, name, before);
    await audit(within, { who: name, what: "logged in", about: name });
    return begun;
  });
  if (session !== undefined) return session;
  if (row !== undefined) await sql`update account set wrong = wrong + 1, wrong_at = now() where name = ${name}`;
  // Which of them is wrong is not for who tries.
  throw fail("FLEET_LOGIN", "the name, the password or the code is wrong, or the code was used before");
}

export async function logOut(sql: Sql, session: string): Promise<void> {
  await sql`delete from session where digest = ${digestOfSecret(session)}`;
}

/** It began at the provider. */
export async function isProviders(sql: Sql, session: string): Promise<boolean> {
  const rows = await sql`
    select from session s join account a on a.name = s.account where s.digest = ${digestOfSecret(session)} and a.issuer is not null`;
  return rows.length > 0;
}

/** @returns undefined if it is over */
export async function principalOfSession(sql: Sql, session: string): Promise<Principal | undefined> {
  const digest = digestOfSecret(session);
  const [row] = await sql<Pick<AccountRow, "name" | "roles"> & { aged: boolean }>`
    select a.name, a.roles, s.seen_at < now() - interval '1 minute' as aged from session s join account a on a.name = s.account
    where s.digest = ${digest} and a.disabled_at is null and s.made_at between now() - make_interval(hours => ${HOURS}) and now() + interval '5 minutes'
      and s.seen_at > now() - make_interval(mins => ${IDLE_MINUTES})`;
  if (row === undefined) return undefined;
  if (row.aged) await sql`update session set seen_at = now() where digest = ${digest}`;
  return { name: row.name, roles: row.roles, person: `account ${row.name}`, csrf: csrfOf(session) };
}
