/** Signing: each holder by itself, offline, over exactly what it has read. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { SutureError } from "@suture/errors";
import { exists, sha256 } from "@suture/files";
import type { Task } from "@suture/task";
import { checkTarget, patchesOf } from "../client/holds.ts";
import { fail } from "../errors.ts";
import type { Signer } from "../keys/signer.ts";
import { canonicalBytes } from "../metadata/canonical.ts";
import type { Kind, Signed } from "../metadata/form.ts";
import type { ReadMetadata } from "../metadata/read.ts";
import { targetFilePath } from "../roles.ts";
import { targetsOf } from "./whole.ts";
import { digestOf, kindOf, signersOf, verifies, Work } from "./work.ts";

export interface ToSign {
  role: string;
  version: number;
  expires: string;
  /** SHA-256 of the bytes that are signed. */
  sha256: string;
  /** What it says, and what is other than in the version before. */
  says: string[];
}

export interface Signing {
  key: string;
  roles: ToSign[];
  /** SHA-256 over all of them: who has read them says it. */
  digest: string;
  signed: boolean;
}

/**
 * @param read the digest of what was read; undefined only shows
 * @throws TRUST_CHANGED if it is another one now, TRUST_KEY if nothing is to be signed by the key
 */
export async function signStaged(
  task: Task,
  folder: string,
  signer: Signer,
  { read, roles: asked }: { read?: string | undefined; roles?: readonly string[] | undefined },
): Promise<Signing> {
  return Work.locked(task, folder, async (work) => {
    const due: { role: string; staged: ReadMetadata<Kind> }[] = [];
    for (const role of await work.stagedRoles()) {
      if (asked !== undefined && asked.length > 0 && !asked.includes(role)) continue;
      const staged = await work.staged(role);
      const requirements = await work.requirements(role);
      if (staged === undefined || !requirements.some(({ keyids }) => keyids.includes(signer.id))) continue;
      if (requirements.every((requirement) => !signersOf(requirement, role, staged).open.includes(signer.id))) continue;
      due.push({ role, staged });
    }
    if (due.length === 0)
      throw fail("TRUST_KEY", `nothing waits for the signature of the key ${work.nameOf(signer.id)} (${signer.id.slice(0, 12)})`, {
        file: folder,
      });
    const roles: ToSign[] = [];
    for (const { role, staged } of due) {
      await checkFiles(work, role, staged.signed);
      const { version, expires } = staged.signed;
      roles.push({ role, version, expires, sha256: digestOf(staged.signed), says: await saysOf(work, role, staged.signed) });
    }
    const digest = sha256(canonicalBytes(roles.map((each) => [each.role, each.sha256])));
    const found = { key: work.nameOf(signer.id), roles, digest };
    if (read === undefined) return { ...found, signed: false };
    if (read !== digest) throw fail("TRUST_CHANGED", `its digest is ${digest}, and ${read} was read`, { file: folder });
    for (const { role, staged } of due) {
      const sig = await signer.sign(task, canonicalBytes(staged.signed));
      const signature = { keyid: signer.id, sig };
      if (!verifies(signer.id, signer.key, kindOf(role), staged.signed, signature))
        throw fail("TRUST_KEY", `the signature of ${role} does not verify`, { file: folder });
      await work.saveStaged(role, staged.signed, [...staged.signatures.filter(({ keyid }) => keyid !== signer.id), signature]);
    }
    return { ...found, signed: true };
  });
}

/** The files are those that are signed. @throws TRUST_CHANGED */
async function checkFiles(work: Work, role: string, signed: Signed<Kind>): Promise<void> {
  if (kindOf(role) !== "targets") return;
  for (const target of targetsOf(signed as Signed<"targets">)) {
    const file = join(work.folder, targetFilePath(target.path, target.sha256));
    try {
      checkTarget(await readFile(file), target);
    } catch (cause) {
      throw fail(
        "TRUST_CHANGED",
        `the file of ${target.path}: ${cause instanceof Error ? cause.message : String(cause)}`,
        { file },
        { cause },
      );
    }
  }
}

/** By their ids: whoever can write into the folder can give any key a name that the reader trusts. */
function keysText(work: Work, ids: readonly string[], before: readonly string[] | undefined): string[] {
  return ids.map((id) => `  ${id} ${work.nameOf(id)}${before?.includes(id) === false ? ", NEW" : ""}`);
}

/** In words, for the one who signs. */
async function saysOf(work: Work, role: string, signed: Signed<Kind>): Promise<string[]> {
  if (role === "root") {
    const { roles } = signed as Signed<"root">;
    const was = (await work.current(role, "root"))?.signed.roles;
    return Object.entries(roles).flatMap(([name, { keyids, threshold }]) => [
      `${name}: ${threshold} of`,
      ...keysText(work, keyids, was?.[name as keyof typeof roles].keyids),
    ]);
  }
  if (kindOf(role) !== "targets") return [];
  const { targets, delegations } = signed as Signed<"targets">;
  const before = (await work.current(role, "targets"))?.signed;
  const says = (delegations?.roles ?? []).flatMap(({ name, keyids, threshold, paths }) => [
    `delegates ${paths.join(", ")} to ${name}: ${threshold} of`,
    ...keysText(work, keyids, before?.delegations?.roles.find((was) => was.name === name)?.keyids),
  ]);
  if (role.startsWith("linux-")) {
    const buildId = role.slice("linux-".length);
    const old = new Set(targetsOf(before).map(({ sha256: digest }) => digest));
    for (const { path, sha256: digest, custom } of patchesOf(signed as Signed<"targets">, role, buildId)) {
      const { kernel, counter, proof, cves, signer, keepsAddresses } = custom;
      says.push(
        `${old.has(digest) ? "as before" : "new"}: release ${counter} for ${kernel.release}: ${path}, SHA-256 ${digest}, ${proof.proven ? "proven" : "NOT PROVEN"}, ` +
          `CVEs: ${cves.join(", ") || "none"}, signed for the kernel by ${signer ?? "nobody"}${keepsAddresses ? ", cannot be unloaded" : ""}`,
      );
    }
    for (const { path } of targetsOf(before)) if (targets[path] === undefined) says.push(`taken out of the list: ${path}`);
    return says;
  }
  for (const { path, sha256: digest } of targetsOf(signed as Signed<"targets">)) {
    const text = await readFile(join(work.folder, targetFilePath(path, digest)), "utf8");
    says.push(...text.trimEnd().split("\n"));
  }
  return says;
}

/** Signatures that another copy of the folder has on the same bytes. @returns how many came */
export async function takeSignatures(
  task: Task,
  folder: string,
  from: string,
): Promise<{ taken: { role: string; key: string }[]; refused: SutureError[] }> {
  return Work.locked(task, folder, async (work) => {
    if (!(await exists(join(from, "staged")))) throw fail("TRUST_REPOSITORY", "it has no folder staged/", { file: from });
    const other = await Work.open(from);
    const taken: { role: string; key: string }[] = [];
    const refused: SutureError[] = [];
    for (const role of await work.stagedRoles()) {
      const [ours, theirs] = [await work.staged(role), await other.staged(role)];
      if (ours === undefined || theirs === undefined) continue;
      if (digestOf(ours.signed) !== digestOf(theirs.signed)) {
        refused.push(fail("TRUST_CHANGED", "other bytes were signed there", { file: join(from, "staged", `${role}.json`) }));
        continue;
      }
      const requirements = await work.requirements(role);
      const have = new Set(ours.signatures.map(({ keyid }) => keyid));
      const come = theirs.signatures.filter(
        (signature) =>
          !have.has(signature.keyid) &&
          requirements.some(({ keys, keyids }) => {
            const key = keys[signature.keyid];
            return (
              key !== undefined && keyids.includes(signature.keyid) && verifies(signature.keyid, key, kindOf(role), ours.signed, signature)
            );
          }),
      );
      if (come.length === 0) continue;
      await work.saveStaged(role, ours.signed, [...ours.signatures, ...come]);
      taken.push(...come.map(({ keyid }) => ({ role, key: work.nameOf(keyid) })));
    }
    return { taken, refused };
  });
}
