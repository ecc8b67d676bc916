/** Keys by which programs ask. */
import { randomBytes } from "node:crypto";
import { sha256 } from "@suture/files";
import { audit } from "../audit/audit.ts";
import type { Sql } from "../database/sql.ts";
import { fail } from "../errors.ts";
import type { Principal, Role } from "./roles.ts";

const PREFIX = "sk_";

export const digestOfSecret = (secret: string): string => sha256(Buffer.from(secret));
/** 256 bits. */
export const newSecret = (prefix: string): string => `${prefix}${randomBytes(32).toString("base64url")}`;

export interface KeyRow {
  id: string;
  name: string;
  roles: Role[];
  made_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
  used_at: Date | null;
  /** Whose word it is. */
  person: string;
  /** It has the roles that the person has at the moment, and no others. */
  own: boolean;
}

/**
 * @param who a principal, whose word it is then; else somebody on the server's machine, who makes one for each person
 * @param own it is for the principal herself, and ends with her roles
 * @returns the key, which is not shown again
 */
export async function newApiKey(
  sql: Sql,
  who: string | Principal,
  { name, roles, days, own = false }: { name: string; roles: readonly Role[]; days?: number | undefined; own?: boolean },
): Promise<{ id: string; key: string }> {
  const key = newSecret(PREFIX);
  const id = randomBytes(6).toString("hex");
  const expires = days === undefined ? null : new Date(Date.now() + days * 86_400_000);
  await sql.begin(async (within) => {
    const person = typeof who === "string" ? `key ${id}` : who.person;
    await within`insert into api_key ${within.columns({ id, name, roles: [...roles], digest: digestOfSecret(key), expires_at: expires, person, own })}`;
    await audit(within, { who: typeof who === "string" ? who : who.name, what: "key made", about: id, detail: { name, roles, expires } });
  });
  return { id, key };
}

export async function apiKeys(sql: Sql): Promise<KeyRow[]> {
  return sql<KeyRow>`select id, name, roles, made_at, expires_at, revoked_at, used_at, person, own from api_key order by made_at`;
}

/** @throws FLEET_NONE */
export async function revokeApiKey(sql: Sql, who: string, id: string): Promise<void> {
  await sql.begin(async (within) => {
    const found = await within`update api_key set revoked_at = now() where id = ${id} and revoked_at is null`;
    if (found.count === 0) throw fail("FLEET_NONE", `no key ${id} is in use`);
    await audit(within, { who, what: "key revoked", about: id });
  });
}

/** @throws FLEET_LOGIN */
export async function principalOfKey(sql: Sql, key: string): Promise<Principal> {
  const digest = digestOfSecret(key);
  const [row] = await sql<KeyRow & { has: Role[] | null }>`
    select k.id, k.name, k.roles, k.used_at, k.person, k.own, p.roles as has from api_key k left join person p on p.person = k.person
    where k.digest = ${digest} and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())`;
  if (row === undefined) throw fail("FLEET_LOGIN", "the key is not known, has expired or was revoked");
  const { own, has } = row;
  if (own && has === null)
    throw fail("FLEET_LOGIN", "its person may not log in any more, or has to log in again at the organisation's provider");
  // When, to the minute: not each request writes.
  if (row.used_at === null || Date.now() - row.used_at.getTime() > 60_000)
    await sql`update api_key set used_at = now() where digest = ${digest}`;
  return {
    name: `key ${row.name} (${row.id})`,
    roles: own ? row.roles.filter((role) => has?.includes(role)) : row.roles,
    person: row.person,
  };
}
