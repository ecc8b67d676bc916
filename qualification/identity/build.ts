/** Builds the livepatch that replaces all functions of an object by themselves. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import type { KernelContext } from "@suture/kbuild";
import { buildLivepatch } from "@suture/pipeline";
import type { Task } from "@suture/task";

export interface Built {
  object: string;
  /** The .ko file; undefined if it was refused. */
  module: string | undefined;
  functions: number;
  notTaken: { name: string; why: string }[];
  refusal: { code: string; why: string } | undefined;
  buildMs: number;
}

export async function buildIdentity(task: Task, kernel: KernelContext, object: string, folder: string): Promise<Built> {
  const started = performance.now();
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
    return { object, module, functions: functions.length, notTaken, refusal: undefined, buildMs: performance.now() - started };
  } catch (error) {
    task.check();
    if (!(error instanceof SutureError)) throw error;
    const refusal = { code: error.code, why: `${error.where.symbol ?? ""} ${error.message}`.trim() };
    return { object, module: undefined, functions: 0, notTaken: [], refusal, buildMs: performance.now() - started };
  }
}
