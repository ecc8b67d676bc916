/** What was signed, put together under a new snapshot and timestamp, and out. */
import { join } from "node:path";
import { makeFolderDurably, sha256, writeDurably } from "@suture/files";
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";
import type { Signer } from "../keys/signer.ts";
import { canonicalBytes } from "../metadata/canonical.ts";
import type { Signed } from "../metadata/form.ts";
import { type ReadMetadata, readMetadata } from "../metadata/read.ts";
import { instantOf, metadataFile, type Signature } from "../metadata/write.ts";
import { metadataPath } from "../roles.ts";
import { folderSource } from "../source/folder.ts";
import { isAddress, sourceOf } from "../source/open.ts";
import type { Source } from "../source/source.ts";
import { choiceOf } from "./choice.ts";
import { renewRole } from "./roles.ts";
import { firstRoot, publishedAt, spread } from "./spread.ts";
import { holdNewer, readWhole, type Whole } from "./whole.ts";
import { DAYS, kindOf, type SignedRole, signersOf, Work } from "./work.ts";

export interface Published {
  folder: string;
  versions: Record<string, number>;
  /** Signed by enough, and published with it. */
  promoted: string[];
  /** Not signed by enough: they wait. */
  waiting: string[];
  /** What was not as good as it could be, in words. */
  notes: string[];
  /** Files that were written; 0 for a check. */
  written: number;
}

export interface PublishOptions {
  /** Of snapshot and timestamp; where these are changed, also of those before. */
  signers: readonly Signer[];
  check?: boolean;
  now: Date;
}

/**
 * @param out a folder; for a check also the address of what is out there
 * @throws TRUST_UNSIGNED, TRUST_OLDER, and what a machine would refuse
 */
export async function publish(
  task: Task,
  folder: string,
  out: string,
  { signers, check = false, now }: PublishOptions,
): Promise<Published> {
  const there = sourceOf(out);
  if (!check && isAddress(out)) throw fail("TRUST_REPOSITORY", "only a folder is published into; an address is for a check", { file: out });
  return Work.locked(task, folder, async (work) => {
    const { root, roles, promoted, waiting, notes, again } = await choiceOf(work);
    const files = new Map<string, Buffer>();
    for (const [role, { signed, signatures }] of [["root", root] as const, ...roles])
      if (promoted.includes(role)) files.set(metadataPath(role, signed.version), metadataFile(signed, signatures));
    await sign(task, work, signers, now, files, { root: root.signed, roles }, notes);
    const source = overlaid(files, folderSource(folder));
    const first = files.get(metadataPath("root", 1)) ?? (await firstRoot(folder));
    if (first === undefined) throw fail("TRUST_UNSIGNED", "its root is not signed yet", { file: folder });
    const next = await readWhole(task, source, first, now);
    const expired = [...next.roles].filter(([, { expires }]) => new Date(expires) <= now).map(([role]) => role);
    if (expired.length > 0) notes.push(`machines load nothing new, because these have expired: ${expired.join(", ")}`);
    if (again.length > 0) notes.push(`for what waits, these are staged again, to be signed by the keys of then: ${again.join(", ")}`);
    const before = await publishedAt(task, there, first);
    if (before !== undefined) holdNewer(before, next);
    const found = { folder: out, versions: versionsOf(next), promoted, waiting, notes };
    if (check) return { ...found, written: 0 };
    // Here first: what is published is known here, whenever the power goes.
    for (const [path, bytes] of files) {
      await makeFolderDurably(join(folder, "metadata"));
      await writeDurably(join(folder, path), bytes);
    }
    for (const role of promoted) await work.dropStaged(role);
    for (const role of again) await renewRole(work, role, now);
    return { ...found, written: await spread(task, next, folderSource(folder), out) };
  });
}

function versionsOf(whole: Whole): Record<string, number> {
  return {
    root: whole.roots.at(-1)?.version ?? 0,
    timestamp: whole.timestamp.version,
    snapshot: whole.snapshot.version,
    ...Object.fromEntries([...whole.roles].map(([role, { version }]) => [role, version])),
  };
}

async function sign(
  task: Task,
  work: Work,
  signers: readonly Signer[],
  now: Date,
  files: Map<string, Buffer>,
  { root, roles }: { root: Signed<"root">; roles: ReadonlyMap<string, ReadMetadata<"targets">> },
  notes: string[],
): Promise<void> {
  const before = (await work.current("root", "root"))?.signed;
  const roots = before === undefined || before.version === root.version ? [root] : [before, root];
  const put = async (role: "snapshot" | "timestamp", members: object): Promise<{ version: number; bytes: Buffer }> => {
    const current = await work.current(role);
    const version = (current?.signed.version ?? 0) + 1;
    const days = work.settings.days[role as SignedRole] ?? DAYS[role];
    const signed = {
      _type: role,
      spec_version: "1.0.31",
      version,
      expires: instantOf(new Date(now.getTime() + days * 86_400_000)),
      ...members,
    };
    const signatures = await signaturesOf(task, work, signers, role, signed, roots, notes);
    const bytes = metadataFile(signed, signatures);
    files.set(role === "timestamp" ? metadataPath(role) : metadataPath(role, version), bytes);
    return { version, bytes };
  };
  const described = ({ version, bytes }: { version: number; bytes: Buffer }): object => ({
    version,
    length: bytes.length,
    hashes: { sha256: sha256(bytes) },
  });
  const snapshot = await put("snapshot", {
    meta: Object.fromEntries(
      [...roles].map(([role, { signed, signatures }]) => [
        `${role}.json`,
        described({ version: signed.version, bytes: metadataFile(signed, signatures) }),
      ]),
    ),
  });
  await put("timestamp", { meta: { "snapshot.json": described(snapshot) }, suture: { signedAt: instantOf(now) } });
}

/** By all keys at hand that the role has now or had before. */
async function signaturesOf(
  task: Task,
  work: Work,
  signers: readonly Signer[],
  role: "snapshot" | "timestamp",
  signed: object,
  roots: readonly Signed<"root">[],
  notes: string[],
): Promise<Signature[]> {
  const allowed = new Set(roots.flatMap((root) => root.roles[role].keyids));
  const signatures: Signature[] = [];
  for (const signer of signers)
    if (allowed.has(signer.id) && !signatures.some(({ keyid }) => keyid === signer.id))
      signatures.push({ keyid: signer.id, sig: await signer.sign(task, canonicalBytes(signed)) });
  const lacking = (root: Signed<"root">): string[] => {
    const { keyids, threshold } = root.roles[role];
    const read = readMetadata(kindOf(role), metadataFile(signed, signatures), role);
    const { have, open } = signersOf({ keyids, threshold, keys: root.keys }, role, read as never);
    return have.length >= threshold ? [] : open.map((id) => work.nameOf(id));
  };
  const last = roots.at(-1);
  if (last === undefined) throw fail("TRUST_UNSIGNED", "root is not signed yet", { file: work.folder });
  const open = lacking(last);
  if (open.length > 0) throw fail("TRUST_UNSIGNED", `${role} lacks the signature of ${open.join(" or ")}`, { file: work.folder });
  if (roots.length > 1 && roots.slice(0, -1).some((root) => lacking(root).length > 0))
    notes.push(
      `the keys that ${role} had before do not sign it: machines refuse the repository from its timestamp until its root is there as well`,
    );
  return signatures;
}

function overlaid(files: ReadonlyMap<string, Uint8Array>, below: Source): Source {
  return { name: below.name, read: async (task, path, limit) => files.get(path) ?? below.read(task, path, limit) };
}
