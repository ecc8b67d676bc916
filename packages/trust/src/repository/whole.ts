/** A repository as a whole: all that it holds, verified from its root on as a machine does, and every kernel line with it. */
import { type Policy, policySchema, type Withdrawals, withdrawalsSchema } from "@suture/protocol";
import type { Task } from "@suture/task";
import type * as v from "valibot";
import {
  checkTarget,
  holdPatchesRole,
  holdTargets,
  holdTargetsRole,
  keysOf,
  patchesOf,
  type VerifiedPatch,
  type VerifiedTarget,
} from "../client/holds.ts";
import { Verification } from "../client/verification.ts";
import { fail } from "../errors.ts";
import type { Signed } from "../metadata/form.ts";
import { readJson } from "../metadata/json.ts";
import { check } from "../metadata/read.ts";
import { LIMITS, metadataPath, PARTS, POLICY_PATH, targetFilePath, WITHDRAWALS_PATH } from "../roles.ts";
import type { Source } from "../source/source.ts";

export interface Whole {
  fleet: string;
  /** Path → bytes, in the order in which they can be published: what names others comes after them. */
  metadata: Map<string, Uint8Array>;
  targets: VerifiedTarget[];
  roots: Signed<"root">[];
  timestamp: Signed<"timestamp">;
  snapshot: Signed<"snapshot">;
  roles: Map<string, Signed<"targets">>;
  /** Of each kernel line. */
  patches: Map<string, VerifiedPatch[]>;
  policy: Policy;
  withdrawals: Withdrawals;
}

/**
 * @param root from which on its roots are followed
 * @param at when none of root, timestamp and snapshot may have expired; none: it is not looked
 * @throws TRUST_*
 */
export async function readWhole(task: Task, source: Source, root: Uint8Array, at: Date | undefined): Promise<Whole> {
  const needed = async (path: string, limit: number): Promise<Uint8Array> => {
    const bytes = await source.read(task, path, limit);
    if (bytes === undefined) throw fail("TRUST_MISSING", "it is not there", { file: `${source.name} ${path}` });
    return bytes;
  };
  const verification = new Verification(root, at);
  const roots = [verification.root];
  const rootFiles = new Map([[metadataPath("root", verification.root.version), root]]);
  for (;;) {
    const path = metadataPath("root", verification.root.version + 1);
    const bytes = await source.read(task, path, LIMITS.root);
    if (bytes === undefined) break;
    verification.nextRoot(bytes);
    roots.push(verification.root);
    rootFiles.set(path, bytes);
  }
  const timestamp = await needed(metadataPath("timestamp"), LIMITS.timestamp);
  verification.newTimestamp(timestamp);
  const named = verification.timestamp.meta["snapshot.json"];
  const snapshotPath = metadataPath("snapshot", named.version);
  if (named.length > LIMITS.snapshot) throw fail("TRUST_TOO_BIG", `it is to have ${named.length} bytes`, { file: snapshotPath });
  const snapshot = await needed(snapshotPath, named.length);
  verification.newSnapshot(snapshot);
  const roles = new Map<string, Signed<"targets">>();
  const metadata = new Map<string, Uint8Array>();
  const role = async (name: string, delegator: string): Promise<Signed<"targets">> => {
    const { version, length } = verification.named(name);
    const path = metadataPath(name, version);
    if (length > LIMITS.targets) throw fail("TRUST_TOO_BIG", `it is to have ${length} bytes`, { file: path });
    const bytes = await needed(path, length);
    const signed = verification.role(bytes, name, delegator);
    metadata.set(path, bytes);
    roles.set(name, signed);
    return signed;
  };
  holdTargetsRole(await role("targets", "root"));
  for (const part of PARTS) await role(part, "targets");
  const patches = new Map<string, VerifiedPatch[]>();
  const patchesRole = roles.get("patches");
  holdPatchesRole(patchesRole);
  for (const { name } of patchesRole?.delegations?.roles ?? []) {
    const buildId = name.slice("linux-".length);
    patches.set(buildId, patchesOf(await role(name, "patches"), `${name}.json`, buildId));
  }
  const extra = Object.keys(verification.snapshot.meta).find((file) => !roles.has(file.slice(0, -".json".length)));
  if (extra !== undefined) throw fail("TRUST_DELEGATION", `it names ${extra}, which nobody delegates to`, { file: "snapshot.json" });
  const { fleet } = verification.root.suture;
  const document = async <const S extends v.GenericSchema<unknown, { fleet: string }>>(
    name: string,
    path: string,
    schema: S,
  ): Promise<v.InferOutput<S>> => {
    holdTargets(roles.get(name), `${name}.json`, [path]);
    const [target] = targetsOf(roles.get(name));
    if (target === undefined) throw fail("TRUST_MISSING", `no ${path} is signed`, { file: `${name}.json` });
    const bytes = await needed(targetFilePath(path, target.sha256), Math.min(target.length, LIMITS.policy));
    checkTarget(bytes, target);
    const found = check(schema, readJson(bytes, path), path);
    if (found.fleet !== fleet) throw fail("TRUST_FLEET", `it is for the fleet ${found.fleet}, not for ${fleet}`, { file: path });
    return found;
  };
  const policy = await document("policy", POLICY_PATH, policySchema);
  const withdrawals = await document("withdrawal", WITHDRAWALS_PATH, withdrawalsSchema);
  metadata.set(snapshotPath, snapshot);
  metadata.set(metadataPath("timestamp"), timestamp);
  for (const [path, bytes] of rootFiles) metadata.set(path, bytes);
  return {
    fleet,
    metadata,
    targets: [...roles.values()].flatMap(targetsOf),
    roots,
    timestamp: verification.timestamp,
    snapshot: verification.snapshot,
    roles,
    patches,
    policy,
    withdrawals,
  };
}

export function targetsOf(role: Signed<"targets"> | undefined): VerifiedTarget[] {
  return Object.entries(role?.targets ?? {}).map(([path, { length, hashes }]) => ({ path, length, sha256: hashes.sha256 }));
}

/** What would be taken from machines that have seen `before`. @throws TRUST_OLDER, TRUST_FLEET */
export function holdNewer(before: Whole, next: Whole): void {
  const older = (why: string, file: string): Error => fail("TRUST_OLDER", why, { file });
  if (before.fleet !== next.fleet) throw fail("TRUST_FLEET", `what is published is of the fleet ${before.fleet}, not of ${next.fleet}`);
  for (const [path, bytes] of before.metadata)
    if (path.endsWith(".root.json")) {
      const ours = next.metadata.get(path);
      if (ours === undefined) throw older("it is published, and not known here", path);
      if (!Buffer.from(ours).equals(bytes)) throw older("another one is published under this version", path);
    }
  const versions = (of: Whole): Map<string, number> =>
    new Map([
      ["timestamp", of.timestamp.version],
      ["snapshot", of.snapshot.version],
      ...[...of.roles].map(([role, { version }]) => [role, version] as const),
    ]);
  const ours = versions(next);
  for (const [role, version] of versions(before)) {
    const file = `${role}.json`;
    const found = ours.get(role);
    if (found === undefined) throw older(`version ${version} is published, and here there is none`, file);
    if (found < version) throw older(`version ${version} is published, and here is ${found}`, file);
    if (found > version) continue;
    const path = role === "timestamp" ? metadataPath(role) : metadataPath(role, version);
    const bytes = next.metadata.get(path);
    const theirs = before.metadata.get(path);
    if (bytes !== undefined && theirs !== undefined && !Buffer.from(bytes).equals(theirs))
      throw older(`another version ${version} is published`, file);
  }
  for (const [line, patches] of before.patches) {
    const was = patches.at(-1)?.custom.counter ?? 0;
    const is = next.patches.get(line)?.at(-1)?.custom.counter ?? 0;
    if (is < was) throw older(`the counter of the kernel line falls from ${was} to ${is}`, `linux-${line}.json`);
  }
  // Machines take it from other keys.
  if (keysOf(before.roles.get("targets")?.delegations, "withdrawal") !== keysOf(next.roles.get("targets")?.delegations, "withdrawal"))
    return;
  const { counter, entries } = next.withdrawals;
  if (counter < before.withdrawals.counter)
    throw older(`its counter falls from ${before.withdrawals.counter} to ${counter}`, WITHDRAWALS_PATH);
  const lost = before.withdrawals.entries.find(({ sha256 }) => !entries.some((entry) => entry.sha256 === sha256));
  if (lost !== undefined) throw older(`the livepatch ${lost.sha256} is not withdrawn any more`, WITHDRAWALS_PATH);
}
