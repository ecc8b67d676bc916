/** Builds the livepatch that replaces all functions of an object by themselves. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import type { KernelContext } from "@suture/kbuild";
import { buildLivepatch } from "@suture/pipeline";
import type { Task } from "@suture/task";

/** What a result says besides. */
export interface IdentityMore extends Record<string, unknown> {
  functions: number;
  notTaken: { name: string; why: string }[];
  /** The .ko file, if there is one. */
  module?: string;
}

interface Built {
  /** The .ko file; undefined if it was refused. */
  module: string | undefined;
  more: IdentityMore;
  refusal: { code: string; why: string } | undefined;
}

export async function buildIdentity(task: Task, kernel: KernelContext, object: string, folder: string): Promise<Built> {
  // Short enough for a module's name, and its own.
  const name = `id-${object
    .replace(/\.o$/, "")
    .replace(/[^A-Za-z0-9]+/g, "-")
    .slice(-36)}`;
  try {
    const { bytes, file, manifest } = await buildLivepatch(task, kernel, {
      patches: [],
      rebuild: [object],
      name,
      replace: false,
      unproven: false,
    });
    const module = join(folder, file);
    writeFileSync(module, bytes);
    const { functions, notTaken = [] } = manifest;
    return { module, more: { functions: functions.length, notTaken: [...notTaken] }, refusal: undefined };
  } catch (error) {
    task.check();
    if (!(error instanceof SutureError)) throw error;
    const refusal = { code: error.code, why: `${error.where.symbol ?? ""} ${error.message}`.trim() };
    return { module: undefined, more: { functions: 0, notTaken: [] }, refusal };
  }
}
