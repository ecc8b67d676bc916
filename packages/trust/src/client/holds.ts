/** What holds of a repository of Suture beyond the specification: each role signs its own, and no more. */

import { sha256 } from "@suture/files";
import { type PatchTargetCustom, patchTargetSchema, type Withdrawals } from "@suture/protocol";
import { fail } from "../errors.ts";
import { canonicalBytes } from "../metadata/canonical.ts";
import type { Signed } from "../metadata/form.ts";
import { check } from "../metadata/read.ts";
import { linePaths, PATHS } from "../roles.ts";
import type { Memory } from "./store.ts";

/** A file that was signed. */
export interface VerifiedTarget {
  path: string;
  length: number;
  sha256: string;
}

export interface VerifiedPatch extends VerifiedTarget {
  custom: PatchTargetCustom;
}

/** @throws TRUST_DELEGATION */
export function holdTargetsRole(targets: Signed<"targets"> | undefined): void {
  holdTargets(targets, "targets.json", []);
  holdDelegations(targets, "targets.json", (role) => (Object.hasOwn(PATHS, role) ? PATHS[role as keyof typeof PATHS] : undefined));
}

/** @throws TRUST_DELEGATION */
export function holdPatchesRole(patches: Signed<"targets"> | undefined): void {
  holdTargets(patches, "patches.json", []);
  holdDelegations(patches, "patches.json", (role) => (role.startsWith("linux-") ? linePaths(role.slice("linux-".length)) : undefined));
}

/** Who delegates says what may be signed, and no more than that role is for. @throws TRUST_DELEGATION */
export function holdDelegations(
  role: Signed<"targets"> | undefined,
  file: string,
  paths: (role: string) => readonly string[] | undefined,
): void {
  for (const delegated of role?.delegations?.roles ?? []) {
    const allowed = paths(delegated.name);
    if (allowed === undefined || delegated.paths.some((path) => !allowed.includes(path)))
      throw fail("TRUST_DELEGATION", `it delegates ${delegated.paths.join(", ")} to ${delegated.name}`, { file });
  }
}

/** @throws TRUST_DELEGATION */
export function holdTargets(role: Signed<"targets"> | undefined, file: string, paths: readonly string[]): void {
  const other = Object.keys(role?.targets ?? {}).find((path) => !paths.includes(path));
  if (other !== undefined) throw fail("TRUST_DELEGATION", `it lists ${other}`, { file });
}

export function keysOf(delegations: Signed<"targets">["delegations"], role: string): string {
  const found = delegations?.roles.find(({ name }) => name === role);
  return sha256(canonicalBytes([found?.threshold ?? 0, ...(found?.keyids ?? []).toSorted()]));
}

/** Nothing that was taken back comes again, unless other keys say so. @throws TRUST_ROLLBACK */
export function heldWithdrawals(found: Withdrawals, keys: string, { withdrawals: before }: Memory): NonNullable<Memory["withdrawals"]> {
  const file = "withdrawals.json";
  const digests = found.entries.map(({ sha256: digest }) => digest);
  if (before !== null && before.keys === keys) {
    if (found.counter < before.counter) throw fail("TRUST_ROLLBACK", `its counter ${found.counter} is below ${before.counter}`, { file });
    const lost = before.digests.find((digest) => !digests.includes(digest));
    if (lost !== undefined) throw fail("TRUST_ROLLBACK", `the livepatch ${lost} is not withdrawn any more`, { file });
  }
  return { keys, counter: found.counter, digests };
}

/** @throws TRUST_FORM, TRUST_DELEGATION, TRUST_ROLLBACK */
export function patchesOf(role: Signed<"targets"> | undefined, file: string, buildId: string): VerifiedPatch[] {
  const found: VerifiedPatch[] = [];
  const folder = `patches/${buildId}/`;
  const all = Object.entries(role?.targets ?? {});
  for (const [path, { length, hashes, custom }] of all) {
    if (!path.startsWith(folder)) throw fail("TRUST_DELEGATION", `it lists ${path}`, { file });
    if (custom === undefined) continue;
    const known = check(patchTargetSchema, custom, `${file}: ${path}`);
    if (known.kernel.buildId !== buildId)
      throw fail("TRUST_DELEGATION", `it lists ${path}, which is for the kernel with build-id ${known.kernel.buildId}`, { file });
    for (const beside of Object.values(known.beside))
      if (beside !== null && role?.targets[beside.path]?.hashes.sha256 !== beside.sha256)
        throw fail("TRUST_MISMATCH", `${path} goes with ${beside.path}, which is not listed as such`, { file });
    found.push({ path, length, sha256: hashes.sha256, custom: known });
  }
  found.sort((a, b) => a.custom.counter - b.custom.counter);
  const twice = found.find((patch, i) => patch.custom.counter === found[i - 1]?.custom.counter);
  if (twice !== undefined) throw fail("TRUST_FORM", `two livepatches have the counter ${twice.custom.counter}`, { file });
  return found;
}

/** @throws TRUST_MISMATCH */
export function checkTarget(bytes: Uint8Array, target: VerifiedTarget): void {
  const file = target.path;
  if (bytes.length !== target.length)
    throw fail("TRUST_MISMATCH", `it has ${bytes.length} bytes, and is to have ${target.length}`, { file });
  const found = sha256(bytes);
  if (found !== target.sha256) throw fail("TRUST_MISMATCH", `its SHA-256 is ${found}, not ${target.sha256}`, { file });
}
