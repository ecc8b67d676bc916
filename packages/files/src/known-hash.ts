/** The SHA-256 of a large file that is asked for in every run: kept while the file system says that nobody has written to the file. */
import { resolve } from "node:path";
import type { Task } from "@suture/task";
import * as v from "valibot";
import { sha256 } from "./hash.ts";
import { keepJson, readKept } from "./kept-file.ts";
import { stampOf } from "./stamp.ts";

/** `proof` ties the hash to the stamp: neither is taken for itself. */
const KEPT = v.object({ proof: v.string(), sha256: v.string() });

export interface KnownHash {
  sha256: string;
  /** Once it turned out that the folder is worth keeping things in. */
  keep: (task: Task) => Promise<void>;
}

/** @param hash reads the file */
export async function knownHash(path: string, folder: string, hash: () => Promise<string>): Promise<KnownHash> {
  // Before it is read: what is written to it from now on has another.
  const stamp = stampOf([path]);
  const file = `${folder}/${sha256(resolve(path)).slice(0, 32)}.hash`;
  const known = stamp === undefined ? undefined : await readKept(file, KEPT);
  if (known !== undefined && stamp !== undefined && known.proof === proofOf(stamp, known.sha256))
    return { sha256: known.sha256, keep: async () => {} };
  const read = await hash();
  return {
    sha256: read,
    keep: async (task) => (stamp === undefined ? undefined : keepJson(task, file, { proof: proofOf(stamp, read), sha256: read })),
  };
}

function proofOf(stamp: string, hash: string): string {
  return sha256(`known hash\n${stamp}\n${hash}`);
}
