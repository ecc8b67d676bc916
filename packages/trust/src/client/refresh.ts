/** What a machine may believe of a repository: refreshed from its sources, or recalled from what it keeps. */

import { SutureError } from "@suture/errors";
import { sha256 } from "@suture/files";
import { type Policy, policySchema, type Withdrawals, withdrawalsSchema } from "@suture/protocol";
import type { Task } from "@suture/task";
import type * as v from "valibot";
import { fail } from "../errors.ts";
import { canonicalBytes } from "../metadata/canonical.ts";
import type { Signed } from "../metadata/form.ts";
import { readJson } from "../metadata/json.ts";
import { check } from "../metadata/read.ts";
import { LIMITS, lineRole, metadataPath, PARTS, POLICY_PATH, targetFilePath, WITHDRAWALS_PATH, warnBefore } from "../roles.ts";
import type { Source } from "../source/source.ts";
import {
  checkTarget,
  heldWithdrawals,
  holdPatchesRole,
  holdTargets,
  holdTargetsRole,
  keysOf,
  patchesOf,
  type VerifiedPatch,
} from "./holds.ts";
import type { Kept, Memory, TrustStore } from "./store.ts";
import { Verification } from "./verification.ts";

export interface Expiry {
  role: string;
  version: number;
  expires: string;
  state: "good" | "soon" | "expired";
}

export interface Verified {
  /** The time at which it was judged: that of the machine, or the latest that it has been shown. */
  at: Date;
  fleet: string;
  expiries: Expiry[];
  /** Of the kernel that was asked for, by rising counter; none where the repository does not know the kernel. */
  patches: VerifiedPatch[];
  policy: Policy;
  withdrawals: Withdrawals;
  /** TRUST_EXPIRED of each role that has: what is loaded stays, withdrawals are followed, and nothing new is loaded as long as there is one. */
  refused: SutureError[];
  /** What a person should see to: the clock, what expires soon, a source that was passed over. */
  warnings: string[];
}

export interface Asked {
  store: TrustStore;
  /** The machine's clock. */
  now: Date;
  /** Build-id of the kernel whose livepatches are asked for; undefined for none. */
  buildId: string | undefined;
}

/**
 * Asks one source after the other until one answers with nothing older than what is trusted. Each step is kept as soon as it is verified. One process at a
 * time may use a store.
 * @throws TRUST_* of the first source if none can be believed
 */
export async function refresh(task: Task, asked: Asked, sources: readonly Source[]): Promise<Verified> {
  const refusals: SutureError[] = [];
  for (const source of sources) {
    try {
      const verified = await new Round(task, asked, source).run();
      verified.warnings.push(...refusals.map((error) => `${error.code}: ${error.where.file ?? ""}: ${error.message}`));
      return verified;
    } catch (error) {
      if (!(error instanceof SutureError) || !error.code.startsWith("TRUST_") || error.code === "TRUST_STORE") throw error;
      refusals.push(error);
    }
  }
  const [first, ...others] = refusals;
  if (first === undefined) throw fail("TRUST_FETCH", "no source of the repository is named");
  throw first.with(others);
}

/** The same of what is kept, without any network: what has expired meanwhile is told in `refused`. @throws TRUST_* where nothing whole is kept */
export async function recall(task: Task, asked: Asked): Promise<Verified> {
  return new Round(task, asked, undefined).run();
}

class Round {
  readonly #task: Task;
  readonly #asked: Asked;
  readonly #store: TrustStore;
  readonly #source: Source | undefined;

  constructor(task: Task, asked: Asked, source: Source | undefined) {
    this.#task = task;
    this.#asked = asked;
    this.#store = asked.store;
    this.#source = source;
  }

  async run(): Promise<Verified> {
    const memory = await this.#store.memory();
    const { now, buildId } = this.#asked;
    const floor = memory.floor === null ? undefined : new Date(memory.floor);
    const behind = floor !== undefined && now < floor;
    const at = behind ? floor : now;
    const verification = await this.#trustedRoot(this.#source === undefined ? undefined : at);
    if (this.#source !== undefined) await this.#roots(verification);
    const current = await this.#forgetOthers(verification, memory);
    await this.#timestamp(verification);
    await this.#snapshot(verification);
    const targets = await this.#role(verification, "targets", "root");
    holdTargetsRole(targets);
    const roles = new Map([["targets", targets]]);
    for (const part of PARTS) roles.set(part, await this.#role(verification, part, "targets"));
    const line = buildId === undefined ? undefined : lineRole(buildId);
    const patches = roles.get("patches");
    holdPatchesRole(patches);
    if (line !== undefined && patches?.delegations?.roles.some(({ name }) => name === line))
      roles.set(line, await this.#role(verification, line, "patches"));
    const { fleet } = verification.root.suture;
    const policy = await this.#document("policy", policySchema, roles.get("policy"), POLICY_PATH, fleet);
    const withdrawals = await this.#document("withdrawals", withdrawalsSchema, roles.get("withdrawal"), WITHDRAWALS_PATH, fleet);
    const withdrawn = heldWithdrawals(withdrawals, keysOf(targets.delegations, "withdrawal"), current);
    const all: [string, { version: number; expires: string }][] = [
      ["root", verification.root],
      ["timestamp", verification.timestamp],
      ["snapshot", verification.snapshot],
      ...roles,
    ];
    const expiries = all.map(([role, { version, expires }]) => ({ role, version, expires, state: stateOf(role, expires, at) }));
    await this.#remember({ ...current, withdrawals: withdrawn }, verification.timestamp.suture.signedAt, all);
    return {
      at,
      fleet,
      expiries,
      patches: buildId === undefined || line === undefined ? [] : patchesOf(roles.get(line), `${line}.json`, buildId),
      policy,
      withdrawals,
      refused: expiries
        .filter(({ state }) => state === "expired")
        .map(({ role, expires }) => fail("TRUST_EXPIRED", `${role} was good until ${expires}`, { file: `${role}.json` })),
      warnings: [
        ...(behind
          ? [`the clock of this machine is behind: it says ${now.toISOString()}, and ${memory.floor} has been signed already`]
          : []),
        ...expiries.filter(({ state }) => state === "soon").map(({ role, expires }) => `${role} expires soon, at ${expires}`),
      ],
    };
  }

  async #trustedRoot(at: Date | undefined): Promise<Verification> {
    const root = await this.#store.read("root");
    if (root === undefined) throw fail("TRUST_STORE", "it holds no trusted root metadata", { file: this.#store.folder });
    return this.#fromStore(() => new Verification(root, at));
  }

  /** What is kept was verified before: it is damaged if it does not verify now. */
  #fromStore<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      if (!(cause instanceof SutureError) || cause.code === "TRUST_EXPIRED") throw cause;
      throw fail("TRUST_STORE", `${cause.where.file ?? ""}: ${cause.message}`, { file: this.#store.folder }, { cause });
    }
  }

  async #roots(verification: Verification): Promise<void> {
    for (let followed = 0; ; followed++) {
      const next = verification.root.version + 1;
      const bytes = await this.#fetch(metadataPath("root", next), LIMITS.root);
      if (bytes === undefined) return;
      if (followed === LIMITS.rotations)
        throw fail("TRUST_TOO_BIG", `there are more than ${LIMITS.rotations} roots to follow`, { file: `${next}.root.json` });
      verification.nextRoot(bytes);
      await this.#store.write("root", bytes);
    }
  }

  /**
   * What other keys of timestamp and snapshot signed is forgotten: a thief of those may have signed the highest versions that there are. The keys are compared with
   * those of which it was noted that nothing of others is kept, so that this is done whenever the power goes.
   */
  async #forgetOthers(verification: Verification, memory: Memory): Promise<Memory> {
    const { keys, roles } = verification.root;
    const now = sha256(canonicalBytes([roles.timestamp, roles.snapshot].map(({ keyids, threshold }) => [threshold, ...keyids.toSorted()])));
    if (memory.keys === now || Object.keys(keys).length === 0) return memory;
    for (const name of ["timestamp", "snapshot"] as const) await this.#store.remove(name);
    const changed = { ...memory, keys: now };
    await this.#store.remember(changed);
    return changed;
  }

  async #timestamp(verification: Verification): Promise<void> {
    const old = await this.#store.read("timestamp");
    if (old !== undefined) this.#fromStore(() => verification.oldTimestamp(old));
    if (this.#source === undefined) {
      if (old === undefined) throw fail("TRUST_STORE", "the repository has never been refreshed", { file: this.#store.folder });
      return;
    }
    const bytes = await this.#fetch(metadataPath("timestamp"), LIMITS.timestamp);
    if (bytes === undefined) throw fail("TRUST_MISSING", "it is not there", { file: this.#at(metadataPath("timestamp")) });
    if (verification.newTimestamp(bytes)) await this.#store.write("timestamp", bytes);
  }

  async #snapshot(verification: Verification): Promise<void> {
    const named = verification.timestamp.meta["snapshot.json"];
    const old = await this.#store.read("snapshot");
    if (old !== undefined) this.#fromStore(() => verification.oldSnapshot(old));
    const bytes =
      old !== undefined && sha256(old) === named.hashes.sha256
        ? old
        : await this.#needed(metadataPath("snapshot", named.version), named.length);
    verification.newSnapshot(bytes);
    if (bytes !== old) await this.#store.write("snapshot", bytes);
  }

  async #role(verification: Verification, role: string, delegator: string): Promise<Signed<"targets">> {
    const named = verification.named(role);
    if (named.length > LIMITS.targets) throw fail("TRUST_TOO_BIG", `it is to have ${named.length} bytes`, { file: `${role}.json` });
    const old = await this.#store.read(`roles/${role}`);
    const kept = old !== undefined && sha256(old) === named.hashes.sha256;
    const bytes = kept ? old : await this.#needed(metadataPath(role, named.version), named.length);
    const signed = verification.role(bytes, role, delegator);
    if (!kept) await this.#store.write(`roles/${role}`, bytes);
    return signed;
  }

  async #document<const S extends v.GenericSchema<unknown, { fleet: string }>>(
    name: "policy" | "withdrawals",
    schema: S,
    role: Signed<"targets"> | undefined,
    path: string,
    fleet: string,
  ): Promise<v.InferOutput<S>> {
    const file = path.slice(path.indexOf("/") + 1);
    holdTargets(role, `${path.slice(0, path.indexOf("/"))}.json`, [path]);
    const target = role?.targets[path];
    if (target === undefined) throw fail("TRUST_MISSING", `no ${path} is signed`, { file });
    if (target.length > LIMITS[name]) throw fail("TRUST_TOO_BIG", `it is to have ${target.length} bytes`, { file });
    const kept: Kept = `documents/${name}`;
    const old = await this.#store.read(kept);
    const isKept = old !== undefined && sha256(old) === target.hashes.sha256;
    const bytes = isKept ? old : await this.#needed(targetFilePath(path, target.hashes.sha256), target.length);
    checkTarget(bytes, { path, length: target.length, sha256: target.hashes.sha256 });
    const document = check(schema, readJson(bytes, file), file);
    if (document.fleet !== fleet) throw fail("TRUST_FLEET", `it is for the fleet ${document.fleet}, not for ${fleet}`, { file });
    if (!isKept) await this.#store.write(kept, bytes);
    return document;
  }

  async #fetch(path: string, limit: number): Promise<Uint8Array | undefined> {
    return this.#source?.read(this.#task, path, limit);
  }

  async #needed(path: string, length: number): Promise<Uint8Array> {
    const file = this.#at(path);
    if (this.#source === undefined) throw fail("TRUST_STORE", "it is not kept: the last refresh did not come to its end", { file });
    const bytes = await this.#fetch(path, length);
    if (bytes === undefined) throw fail("TRUST_MISSING", "it is named, and not there", { file });
    return bytes;
  }

  #at(path: string): string {
    return `${this.#source?.name ?? this.#store.folder} ${path}`;
  }

  /**
   * The latest time that was signed, as far as all other roles were good at it: who has stolen the key of timestamp alone cannot make a machine believe in a
   * time at which all has expired.
   */
  async #remember(memory: Memory, signedAt: string, roles: readonly [string, { expires: string }][]): Promise<void> {
    const latest = [signedAt, ...roles.filter(([role]) => role !== "timestamp").map(([, { expires }]) => expires)].sort()[0] ?? signedAt;
    const floor = memory.floor === null || memory.floor < latest ? latest : memory.floor;
    const next = { ...memory, floor };
    if (JSON.stringify(next) !== JSON.stringify(await this.#store.memory())) await this.#store.remember(next);
  }
}

function stateOf(role: string, expires: string, at: Date): Expiry["state"] {
  const left = new Date(expires).getTime() - at.getTime();
  return left <= 0 ? "expired" : left < warnBefore(role) * 1000 ? "soon" : "good";
}
