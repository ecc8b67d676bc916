/** The livepatches that a repository has published: of every kernel line. */
import { patchesOf, type VerifiedPatch } from "../client/holds.ts";
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
