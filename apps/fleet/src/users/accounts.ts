/** People: invited by an admin, they set a password and a second factor themselves, which nobody else gets to see. */
import type { FleetRole, NewAccount } from "@suture/protocol";
import { audit } from "../audit/audit.ts";
import type { Sql, Within } from "../database/sql.ts";
import { fail } from "../errors.ts";
import { digestOfSecret, newSecret } from "./api-keys.ts";
import { keptOf } from "./password.ts";
import { addressOf, newSecondFactor, stepOf } from "./second-factor.ts";

const PREFIX = "si_";
const INVITED_HOURS = 72;

export interface AccountRow {
  name: string;
  roles: FleetRole[];
  password: string | null;
  second: string | null;
  last_step: number;
  invited_until: Date | null;
  wrong: number;
  wrong_at: Date | null;
  made_at: Date;
  disabled_at: Date | null;
  /** Of a provider of logins; null: one of this server's own. */
  issuer: string | null;
}

async function invite(within: Within, name: string): Promise<string> {
  const invitation = newSecret(PREFIX);
  await within`
    update account set invitation = ${digestOfSecret(invitation)}, invited_until = now() + make_interval(hours => ${INVITED_HOURS}), second = ${newSecondFactor()}
    where name = ${name}`;
  return invitation;
}

/** @throws FLEET_STATE */
export async function newAccount(sql: Sql, who: string, { name, roles }: NewAccount): Promise<{ invitation: string }> {
  return sql.begin(async (within) => {
    const made = await within`insert into account (name, roles) values (${name}, ${[...roles]}) on conflict do nothing`;
    if (made.count === 0) throw fail("FLEET_STATE", `there is an account ${name} already`);
    const invitation = await invite(within, name);
    await audit(within, { who, what: "account made", about: name, detail: { roles } });
    return { invitation };
  });
}

export async function accounts(sql: Sql): Promise<AccountRow[]> {
  return sql<AccountRow>`select * from account order by name`;
}

export interface AccountChange {
  roles?: readonly FleetRole[] | undefined;
  disabled?: boolean | undefined;
  /** Password and second factor are lost: both are set anew. */
  invite?: boolean | undefined;
}

/** Who was logged in is not any more. @returns an invitation if one was asked for. @throws FLEET_NONE, FLEET_STATE */
export async function changeAccount(sql: Sql, who: string, name: string, change: AccountChange): Promise<{ invitation: string | null }> {
  return sql.begin(async (within) => {
    const { roles = null, disabled = null } = change;
    const found = await within<{ issuer: string | null }>`
      update account set roles = coalesce(${roles === null ? null : [...roles]}::text[], roles),
        disabled_at = case when ${disabled}::boolean is null then disabled_at when ${disabled}::boolean then now() end
      where name = ${name} returning issuer`;
    const [row] = found;
    if (row === undefined) throw fail("FLEET_NONE", `there is no account ${name}`);
    if (row.issuer !== null && (roles !== null || change.invite === true))
      throw fail("FLEET_STATE", `${name} is known to ${row.issuer}, which says by what to log in, and gives the roles`);
    if (change.invite === true) await within`update account set password = null, wrong = 0 where name = ${name}`;
    const invitation = change.invite === true ? await invite(within, name) : null;
    await within`delete from session where account = ${name}`;
    await audit(within, { who, what: "account changed", about: name, detail: change });
    return { invitation };
  });
}

/** @throws FLEET_LOGIN */
async function invited(within: Within, invitation: string): Promise<AccountRow & { second: string }> {
  const [row] = await within<AccountRow>`
    select * from account where invitation = ${digestOfSecret(invitation)} and invited_until between now() and now() + make_interval(hours => ${INVITED_HOURS + 1}) and disabled_at is null for update`;
  if (row === undefined || row.second === null) throw fail("FLEET_LOGIN", "the invitation is not known, was used or has expired");
  return { ...row, second: row.second };
}

/** What the phone's app is to be told. @throws FLEET_LOGIN */
export async function welcome(sql: Sql, invitation: string): Promise<{ name: string; secret: string; address: string }> {
  const { name, second } = await sql.begin((within) => invited(within, invitation));
  return { name, secret: second, address: addressOf(name, second) };
}

/** From now on the person logs in. @throws FLEET_LOGIN */
export async function confirm(
  sql: Sql,
  { invitation, password, code }: { invitation: string; password: string; code: string },
): Promise<void> {
  const kept = await keptOf(password);
  await sql.begin(async (within) => {
    const { name, second } = await invited(within, invitation);
    if (password.toLowerCase().includes(name)) throw fail("FLEET_REQUEST", "the password holds the name");
    const step = stepOf(name, second, code, Date.now());
    if (step === undefined) throw fail("FLEET_LOGIN", "the code is not of this second factor, or not of now");
    await within`
      update account set password = ${kept}, last_step = ${step}, invitation = null, invited_until = null, wrong = 0 where name = ${name}`;
    await audit(within, { who: name, what: "account set up", about: name });
  });
}
