/** The repository's roles and their keys: made, and changed. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Policy, policySchema, type Withdrawals, withdrawalsSchema } from "@suture/protocol";
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";
import type { NamedKey } from "../keys/key-file.ts";
import { readJson } from "../metadata/json.ts";
import { check } from "../metadata/read.ts";
import { linePaths, PARTS, PATHS, POLICY_PATH, targetFilePath, WITHDRAWALS_PATH } from "../roles.ts";
import { DAYS, type Settings, SIGNED_ROLES, type SignedRole, Work } from "./work.ts";

/** Roles that people name; `targets` has the keys of root. */
export const KEY_ROLES = ["root", "patches", "policy", "withdrawal", "snapshot", "timestamp"] as const;
export type KeyRole = (typeof KEY_ROLES)[number];

export interface Holders {
  threshold: number;
  keys: readonly NamedKey[];
}

export interface InitOptions {
  fleet: string;
  holders: Readonly<Record<KeyRole, Holders>>;
  days?: Partial<Record<SignedRole, number>>;
  now: Date;
}

type Delegations = NonNullable<Parameters<typeof keysOf>[0]>;

/** @throws TRUST_REPOSITORY, TRUST_FORM */
export async function initRepository(folder: string, { fleet, holders, days = {}, now }: InitOptions): Promise<Work> {
  const all = Object.values(holders).flatMap(({ keys }) => keys);
  for (const { keys, threshold } of Object.values(holders))
    if (threshold < 1 || threshold > new Set(keys.map(({ id }) => id)).size)
      throw fail("TRUST_REPOSITORY", `a threshold of ${threshold} is no number of the ${keys.length} keys`, { file: folder });
  const settings: Settings = {
    suture: 1,
    fleet,
    days: { ...DAYS, ...days },
    names: Object.fromEntries(all.map(({ id, name }) => [id, name])),
  };
  const work = await Work.create(folder, settings);
  await stageRoot(work, now, holders);
  await work.stage("targets", now, { targets: {}, delegations: delegationsOf(holders) });
  await work.stage("patches", now, { targets: {}, delegations: { keys: {}, roles: [] } });
  await stagePolicy(work, now, { suture: 1, fleet, channels: [], rollouts: [], note: null });
  await stageWithdrawals(work, now, { suture: 1, fleet, counter: 1, entries: [] });
  // Last, so that a folder that was begun is made again.
  await work.saveSettings();
  return work;
}

async function stageRoot(work: Work, now: Date, holders: Readonly<Record<KeyRole, Holders>>): Promise<void> {
  const tops = { root: holders.root, targets: holders.root, snapshot: holders.snapshot, timestamp: holders.timestamp };
  await work.stage("root", now, {
    consistent_snapshot: true,
    keys: keysOf(Object.values(tops)),
    roles: Object.fromEntries(Object.entries(tops).map(([role, of]) => [role, roleOf(of)])),
    suture: { fleet: work.settings.fleet },
  });
}

const keysOf = (holders: readonly Holders[]): Record<string, object> =>
  Object.fromEntries(holders.flatMap(({ keys }) => keys.map(({ id, key }) => [id, key])));

const roleOf = ({ keys, threshold }: Holders): { keyids: string[]; threshold: number } => ({
  keyids: [...new Set(keys.map(({ id }) => id))],
  threshold,
});

function delegationsOf(holders: Readonly<Record<KeyRole, Holders>>): object {
  return {
    keys: keysOf(PARTS.map((part) => holders[part])),
    roles: PARTS.map((name) => ({ ...roleOf(holders[name]), name, terminating: true, paths: [...PATHS[name]] })),
  };
}

/** Who holds which role now, or is about to. */
export async function holdersOf(work: Work): Promise<Record<KeyRole, Holders>> {
  const named = (id: string, keys: Readonly<Record<string, NamedKey["key"]>>): NamedKey[] => {
    const key = keys[id];
    return key === undefined ? [] : [{ name: work.nameOf(id), id, key }];
  };
  const root = await work.needed("root", "root");
  const { delegations } = await work.needed("targets", "targets");
  const of = (role: KeyRole): Holders => {
    const top = role === "root" || role === "snapshot" || role === "timestamp" ? root.roles[role] : undefined;
    const found = top ?? delegations?.roles.find(({ name }) => name === role);
    if (found === undefined) throw fail("TRUST_REPOSITORY", `there is no role ${role}`, { file: work.folder });
    const keys = top === undefined ? (delegations?.keys ?? {}) : root.keys;
    return { threshold: found.threshold, keys: found.keyids.flatMap((id) => named(id, keys)) };
  };
  return {
    root: of("root"),
    patches: of("patches"),
    policy: of("policy"),
    withdrawal: of("withdrawal"),
    snapshot: of("snapshot"),
    timestamp: of("timestamp"),
  };
}

/**
 * Other keys for some roles. What they signed until now is signed again by the new ones.
 * @param givenBack of withdrawal: what is withdrawn no more, by the beginning of its SHA-256. Machines take that from other keys only
 * @returns roles that are to be signed now
 */
export async function rotateKeys(
  task: Task,
  folder: string,
  changed: Partial<Record<KeyRole, Holders>>,
  now: Date,
  givenBack: readonly string[] = [],
): Promise<string[]> {
  return Work.locked(task, folder, async (work) => {
    const before = await holdersOf(work);
    const holders = { ...before, ...changed };
    const left = givenBack.length === 0 ? undefined : await withoutThose(work, givenBack, isSame(before.withdrawal, holders.withdrawal));
    for (const [role, { keys, threshold }] of Object.entries(changed))
      if (threshold < 1 || threshold > new Set(keys.map(({ id }) => id)).size)
        throw fail("TRUST_REPOSITORY", `a threshold of ${threshold} is no number of the ${keys.length} keys of ${role}`, { file: folder });
    for (const { keys } of Object.values(changed)) for (const { id, name } of keys) work.settings.names[id] = name;
    await work.saveSettings();
    const roles = Object.keys(changed) as KeyRole[];
    if (roles.some((role) => role === "root" || role === "snapshot" || role === "timestamp")) await stageRoot(work, now, holders);
    if (roles.some((role) => role === "root" || role === "patches" || role === "policy" || role === "withdrawal"))
      await work.stage("targets", now, { targets: {}, delegations: delegationsOf(holders) });
    if (changed.patches !== undefined) {
      const { delegations } = await work.needed("patches", "targets");
      const lines = delegations?.roles.map(({ name }) => name) ?? [];
      await work.stage("patches", now, { targets: {}, delegations: lineDelegations(holders.patches, lines) });
      for (const line of lines) await stageAgain(work, line, now);
    }
    for (const part of ["policy", "withdrawal"] as const) if (changed[part] !== undefined) await stageAgain(work, part, now);
    if (left !== undefined) await stageWithdrawals(work, now, left);
    return work.stagedRoles();
  });
}

const isSame = (a: Holders, b: Holders): boolean =>
  a.threshold === b.threshold &&
  [a, b].map(({ keys }) => keys.map(({ id }) => id).sort()).every((ids, _, [first]) => ids.join() === first?.join());

/** @throws TRUST_REPOSITORY */
async function withoutThose(work: Work, givenBack: readonly string[], sameKeys: boolean): Promise<Withdrawals> {
  const wrong = (why: string): Error => fail("TRUST_REPOSITORY", why, { file: work.folder });
  if (sameKeys) throw wrong("what was withdrawn is given back by other keys of withdrawal only: machines hold the ones of now to it");
  const { entries, ...more } = await withdrawalsOf(work);
  const out = givenBack.map((word) => {
    const [found, another] = /^[0-9a-f]{8,64}$/.test(word) ? entries.filter(({ sha256 }) => sha256.startsWith(word)) : [];
    if (found === undefined || another !== undefined)
      throw wrong(
        `${word} is not the beginning of one SHA-256 that is withdrawn: ${entries.map(({ sha256 }) => sha256).join(", ") || "none"}`,
      );
    return found;
  });
  // A thief may have counted to where nothing comes after it.
  return { ...more, counter: 1, entries: entries.filter((entry) => !out.includes(entry)) };
}

/** A role for each kernel line, with the keys of patches. */
export function lineDelegations(holders: Holders, lines: readonly string[]): Delegations | object {
  return {
    keys: lines.length === 0 ? {} : keysOf([holders]),
    roles: lines.map((name) => ({ ...roleOf(holders), name, terminating: true, paths: [...linePaths(name.slice("linux-".length))] })),
  };
}

/** What is staged already stays as it is, with the signatures that it has: the new keys sign it besides. */
async function stageAgain(work: Work, role: string, now: Date): Promise<void> {
  if ((await work.staged(role)) === undefined) await renewRole(work, role, now);
}

/** The same as before, good for as long again. */
export async function renewRole(work: Work, role: string, now: Date): Promise<void> {
  const found = await work.newest(role);
  if (found === undefined) throw fail("TRUST_REPOSITORY", `there is no ${role}`, { file: work.folder });
  const { _type, spec_version, version, expires, ...members } = found.signed;
  await work.stage(role, now, members);
}

/** @param roles none: all that people sign, lines too */
export async function renew(task: Task, folder: string, roles: readonly string[], now: Date): Promise<string[]> {
  return Work.locked(task, folder, async (work) => {
    const { delegations } = await work.needed("patches", "targets");
    const lines = delegations?.roles.map(({ name }) => name) ?? [];
    const asked = roles.length === 0 ? [...SIGNED_ROLES.filter((role) => role !== "snapshot" && role !== "timestamp"), ...lines] : roles;
    for (const role of asked)
      for (const each of role === "patches" && roles.length > 0 ? [role, ...lines] : [role]) await renewRole(work, each, now);
    return work.stagedRoles();
  });
}

export async function policyOf(work: Work): Promise<Policy> {
  return document(work, "policy", POLICY_PATH, policySchema);
}

export async function withdrawalsOf(work: Work): Promise<Withdrawals> {
  return document(work, "withdrawal", WITHDRAWALS_PATH, withdrawalsSchema);
}

async function document<const S extends Parameters<typeof check>[0]>(
  work: Work,
  role: string,
  path: string,
  schema: S,
): Promise<ReturnType<typeof check<S>>> {
  const { targets } = await work.needed(role, "targets");
  const digest = targets[path]?.hashes.sha256 ?? "";
  const file = join(work.folder, targetFilePath(path, digest));
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw fail("TRUST_REPOSITORY", cause instanceof Error ? cause.message : String(cause), { file }, { cause });
  }
  return check(schema, readJson(bytes, file), file);
}

export async function stagePolicy(work: Work, now: Date, policy: Policy): Promise<void> {
  check(policySchema, policy, "policy.json");
  await stageDocument(work, "policy", POLICY_PATH, now, policy);
}

export async function stageWithdrawals(work: Work, now: Date, withdrawals: Withdrawals): Promise<void> {
  check(withdrawalsSchema, withdrawals, "withdrawals.json");
  await stageDocument(work, "withdrawal", WITHDRAWALS_PATH, now, withdrawals);
}

async function stageDocument(work: Work, role: string, path: string, now: Date, value: object): Promise<void> {
  const target = await work.putTarget(path, Buffer.from(`${JSON.stringify(value, undefined, 1)}\n`));
  await work.stage(role, now, { targets: { [path]: target } });
}
