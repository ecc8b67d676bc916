/** How a machine comes into the fleet: by a token and a key of its own; and, where the token says so, by somebody's approval. */
import { createPublicKey, type KeyObject, randomBytes, verify } from "node:crypto";
import { type EnrolRequest, enrolText, type HostState } from "@suture/protocol";
import { audit } from "../audit/audit.ts";
import type { Sql } from "../database/sql.ts";
import { fail } from "../errors.ts";
import { digestOfSecret, newSecret } from "../users/api-keys.ts";

const PREFIX = "se_";
/** DER before the 32 bytes of an ed25519 key. */
const SPKI = "302a300506032b6570032100";

/** @param hex 32 bytes. @returns undefined if it is no key */
export function publicKeyOf(hex: string): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(`${SPKI}${hex}`, "hex"), format: "der", type: "spki" });
  } catch {
    return undefined;
  }
}

/** @param signature hex */
export function isSignedBy(key: KeyObject, text: string, signature: string): boolean {
  return verify(undefined, Buffer.from(text), key, Buffer.from(signature, "hex"));
}

export interface NewToken {
  name: string;
  limit: number | null;
  days: number;
  approve: boolean;
  labels: readonly string[];
}

export interface TokenRow {
  id: string;
  name: string;
  most: number | null;
  used: number;
  approve: boolean;
  labels: string[];
  expires_at: Date;
  revoked_at: Date | null;
}

export async function newEnrolToken(
  sql: Sql,
  who: string,
  { name, limit, days, approve, labels }: NewToken,
): Promise<{ id: string; token: string }> {
  const token = newSecret(PREFIX);
  const id = randomBytes(6).toString("hex");
  const row = {
    id,
    name,
    digest: digestOfSecret(token),
    most: limit,
    approve,
    labels: [...labels],
    expires_at: new Date(Date.now() + days * 86_400_000),
  };
  await sql.begin(async (within) => {
    await within`insert into enrol_token ${within.columns(row)}`;
    await audit(within, { who, what: "enrolment token made", about: id, detail: { name, limit, days, approve, labels } });
  });
  return { id, token };
}

export async function enrolTokens(sql: Sql): Promise<TokenRow[]> {
  return sql<TokenRow>`select id, name, most, used, approve, labels, expires_at, revoked_at from enrol_token order by made_at`;
}

/** Machines that came by it stay. @throws FLEET_NONE */
export async function revokeEnrolToken(sql: Sql, who: string, id: string): Promise<void> {
  await sql.begin(async (within) => {
    const found = await within`update enrol_token set revoked_at = now() where id = ${id} and revoked_at is null`;
    if (found.count === 0) throw fail("FLEET_NONE", `no token ${id} is in use`);
    await audit(within, { who, what: "enrolment token revoked", about: id });
  });
}

/**
 * Asked again with the same key and token, it answers the same: the first answer may have been lost.
 * @throws FLEET_ENROL
 */
export async function enrol(sql: Sql, request: EnrolRequest): Promise<{ host: string; state: HostState }> {
  const { token, name, machineId, publicKey, proof } = request;
  const key = publicKeyOf(publicKey);
  if (key === undefined || !isSignedBy(key, enrolText(request), proof))
    throw fail("FLEET_ENROL", "it is not signed with the key that it brings");
  const digest = digestOfSecret(token);
  return sql.begin(async (within) => {
    // Before anything is looked at: of several with one token, or of one machine, each sees what the one before did.
    const [given] = await within<TokenRow>`select * from enrol_token where digest = ${digest} for update`;
    if (given === undefined) throw fail("FLEET_ENROL", "the token is not known");
    const [known] = await within<{ id: string; state: HostState; token: string; machine_id: string }>`
      select id, state, token, machine_id from host where public_key = ${publicKey}`;
    if (known !== undefined) {
      if (known.token === given.id && known.machine_id === machineId) return { host: known.id, state: known.state };
      throw fail("FLEET_ENROL", "its key is that of another machine");
    }
    if (given.revoked_at !== null) throw fail("FLEET_ENROL", "the token was revoked");
    if (given.expires_at <= new Date()) throw fail("FLEET_ENROL", "the token has expired");
    if (given.most !== null && given.used >= given.most)
      throw fail("FLEET_ENROL", `the token was used ${given.used} times, as often as it may be`);
    await within`update enrol_token set used = used + 1 where id = ${given.id}`;
    const host = randomBytes(16).toString("hex");
    await within`select pg_advisory_xact_lock(hashtextextended(${machineId}, 7710003))`;
    const [before] = await within<{ id: string; state: HostState }>`
      select id, state from host where machine_id = ${machineId} and state <> 'retired' for update`;
    // Who has a group's token and knows a machine's id could otherwise take its place without anybody's word.
    if (before !== undefined)
      throw fail("FLEET_ENROL", `a machine with its machine-id is ${before.state} as ${before.id}: it is to be retired first`);
    const state: HostState = given.approve ? "approved" : "pending";
    await within`insert into host ${within.columns({ id: host, name, machine_id: machineId, public_key: publicKey, state, labels: given.labels, token: given.id })}`;
    await audit(within, {
      who: `token ${given.name} (${given.id})`,
      what: "host enrolled",
      about: host,
      detail: { name, state },
    });
    return { host, state };
  }) as Promise<{ host: string; state: HostState }>;
}

/** @throws FLEET_NONE, FLEET_STATE */
export async function settleHost(sql: Sql, who: string, host: string, state: Exclude<HostState, "pending">): Promise<void> {
  await sql.begin(async (within) => {
    const [row] = await within<{ state: HostState }>`select state from host where id = ${host} for update`;
    if (row === undefined) throw fail("FLEET_NONE", `there is no host ${host}`);
    if (row.state === state) return;
    if (row.state === "retired") throw fail("FLEET_STATE", `the host ${host} is retired, for ever: it enrols anew`);
    await within`update host set state = ${state} where id = ${host}`;
    await audit(within, { who, what: `host ${state}`, about: host, detail: { before: row.state } });
  });
}

/** What rings of roll-outs ask for, if the machine names it too. @throws FLEET_NONE */
export async function labelHost(sql: Sql, who: string, host: string, labels: readonly string[]): Promise<void> {
  await sql.begin(async (within) => {
    const [row] = await within<{ labels: string[] }>`select labels from host where id = ${host} for update`;
    if (row === undefined) throw fail("FLEET_NONE", `there is no host ${host}`);
    await within`update host set labels = ${[...labels]} where id = ${host}`;
    await audit(within, { who, what: "host labelled", about: host, detail: { before: row.labels, labels } });
  });
}
