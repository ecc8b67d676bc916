/** Files that were signed. */
import type { SutureError } from "@suture/errors";
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";
import { targetFilePath } from "../roles.ts";
import type { Source } from "../source/source.ts";
import { checkTarget, type VerifiedTarget } from "./holds.ts";

/** Its bytes, of the first source that has them. @throws TRUST_MISSING, TRUST_MISMATCH, TRUST_FETCH, TRUST_TOO_BIG */
export async function fetchTarget(task: Task, target: VerifiedTarget, sources: readonly Source[]): Promise<Uint8Array> {
  const refusals: SutureError[] = [];
  for (const source of sources) {
    try {
      return await readTarget(task, target, source);
    } catch (error) {
      task.check();
      if (!(error instanceof Error) || error.name !== "SutureError") throw error;
      refusals.push(error as SutureError);
    }
  }
  const [first, ...others] = refusals;
  throw first === undefined ? fail("TRUST_FETCH", "no source of the repository is named") : first.with(others);
}

async function readTarget(task: Task, target: VerifiedTarget, source: Source): Promise<Uint8Array> {
  const path = targetFilePath(target.path, target.sha256);
  const bytes = await source.read(task, path, target.length);
  if (bytes === undefined) throw fail("TRUST_MISSING", "it is signed, and not there", { file: `${source.name} ${path}` });
  checkTarget(bytes, target);
  return bytes;
}
