/** How a machine comes into the fleet: by a token and a key of its own; and, where the token says so, by somebody's approval. */
import { createPublicKey, type KeyObject, randomBytes, verify } from "node:crypto";
import { SutureError } from "@suture/errors";
import { type EnrolRequest, enrolText, type HostState } from "@suture/protocol";
import { audit, type Deed } from "../audit/audit.ts";
import type { Sql, Within } from "../database/sql.ts";
import { fail } from "../errors.ts";
import { digestOfSecret, newSecret } from "../users/api-keys.ts";

const PREFIX = "se_";
/** In one transaction. */
const AT_ONCE = 100;
const MOST_WAITING = 5000;
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

type Enrolled = { host: string; state: HostState };

interface Asking {
  request: EnrolRequest;
  done(enrolled: Enrolled): void;
  failed(error: unknown): void;
}

/** Machines that come at the same time come in one transaction: by one token they would wait for each other's. */
export class Enrolments {
  readonly #sql: Sql;
  #asking: Asking[] = [];
  #busy = false;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /**
   * Asked again with the same key and token, it answers the same: the first answer may have been lost.
   * @throws FLEET_ENROL, FLEET_BUSY
   */
  async enrol(request: EnrolRequest): Promise<Enrolled> {
    const key = publicKeyOf(request.publicKey);
    if (key === undefined || !isSignedBy(key, enrolText(request), request.proof))
      throw fail("FLEET_ENROL", "it is not signed with the key that it brings");
    if (this.#asking.length >= MOST_WAITING) throw fail("FLEET_BUSY", `${this.#asking.length} machines wait to come in`);
    return new Promise((done, failed) => {
      this.#asking.push({ request, done, failed });
      void this.#rounds();
    });
  }

  async #rounds(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#asking.length > 0) {
      const batch = this.#asking.splice(0, AT_ONCE);
      try {
        settle(batch, await this.#together(batch.map(({ request }) => request)));
      } catch {
        // What one of them meets is not the others'.
        for (const one of batch)
          await this.#together([one.request]).then(
            (found) => settle([one], found),
            (error: unknown) => one.failed(error),
          );
      }
    }
    this.#busy = false;
  }

  /** In one order everywhere, and the audit last: two servers do not wait for each other. */
  #together(requests: readonly EnrolRequest[]): Promise<(Enrolled | Error)[]> {
    const all = requests.map((request, i) => ({ request, i, digest: digestOfSecret(request.token) }));
    const order = (one: (typeof all)[number]): string => `${one.digest} ${one.request.machineId}`;
    return this.#sql.begin(async (within) => {
      const found: (Enrolled | Error)[] = [];
      const deeds: Deed[] = [];
      for (const { request, i, digest } of all.sort((a, b) => (order(a) < order(b) ? -1 : 1)))
        try {
          found[i] = await enrolled(within, request, digest, deeds);
        } catch (error) {
          // Refused before anything was written.
          if (!(error instanceof SutureError)) throw error;
          found[i] = error;
        }
      for (const deed of deeds) await audit(within, deed);
      return found;
    });
  }
}

function settle(batch: readonly Asking[], found: readonly (Enrolled | Error)[]): void {
  batch.forEach(({ done, failed }, i) => {
    const of = found[i];
    if (of === undefined || of instanceof Error) failed(of);
    else done(of);
  });
}

/** @param deeds what the audit is to have. @throws FLEET_ENROL, and then nothing was written */
async function enrolled(within: Within, request: EnrolRequest, digest: string, deeds: Deed[]): Promise<Enrolled> {
  const { name, machineId, publicKey } = request;
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
  await within`select pg_advisory_xact_lock(hashtextextended(${machineId}, 7710003))`;
  const [before] = await within<{ id: string; state: HostState }>`
    select id, state from host where machine_id = ${machineId} and state <> 'retired' for update`;
  // Who has a group's token and knows a machine's id could otherwise take its place without anybody's word.
  if (before !== undefined)
    throw fail("FLEET_ENROL", `a machine with its machine-id is ${before.state} as ${before.id}: it is to be retired first`);
  await within`update enrol_token set used = used + 1 where id = ${given.id}`;
  const host = randomBytes(16).toString("hex");
  const state: HostState = given.approve ? "approved" : "pending";
  await within`insert into host ${within.columns({ id: host, name, machine_id: machineId, public_key: publicKey, state, labels: given.labels, token: given.id })}`;
  deeds.push({ who: `token ${given.name} (${given.id})`, what: "host enrolled", about: host, detail: { name, state } });
  return { host, state };
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
