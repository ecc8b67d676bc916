/** The livepatches that a repository has published: of every kernel line. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { sha256 } from "@suture/files";
import type { Withdrawals } from "@suture/protocol";
import { patchesOf, type VerifiedPatch, type VerifiedTarget } from "../client/holds.ts";
import { fail } from "../errors.ts";
import { targetFilePath } from "../roles.ts";
import { withdrawalsOf } from "./roles.ts";
import { Work } from "./work.ts";

/** What is only staged is none yet. @throws TRUST_REPOSITORY, TRUST_FORM */
export async function livepatchesOf(folder: string): Promise<VerifiedPatch[]> {
  const work = await Work.open(folder);
  const lines = (await work.current("patches", "targets"))?.signed.delegations?.roles ?? [];
  const all: VerifiedPatch[] = [];
  for (const { name } of lines) {
    const line = (await work.current(name, "targets"))?.signed;
    if (line !== undefined) all.push(...patchesOf(line, name, name.slice("linux-".length)));
  }
  return all;
}

/** What goes with a livepatch, as it was signed. @throws TRUST_MISSING, TRUST_MISMATCH */
export async function besideOf(folder: string, { path, sha256: digest }: Omit<VerifiedTarget, "length">): Promise<Buffer> {
  const file = join(folder, targetFilePath(path, digest));
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw fail("TRUST_MISSING", cause instanceof Error ? cause.message : String(cause), { file }, { cause });
  });
  if (sha256(bytes) !== digest) throw fail("TRUST_MISMATCH", "it is not the file that was signed", { file });
  return bytes;
}

/** Of which version all is that is published. @throws TRUST_REPOSITORY */
export async function publishedVersion(folder: string): Promise<number> {
  return (await (await Work.open(folder)).current("snapshot", "snapshot"))?.signed.version ?? 0;
}

/** What is taken back. @throws TRUST_REPOSITORY */
export async function showWithdrawals(folder: string): Promise<Withdrawals> {
  return withdrawalsOf(await Work.open(folder));
}
