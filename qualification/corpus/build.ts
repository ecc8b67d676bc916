/** Builds the livepatch of one fix. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import type { KernelContext } from "@suture/kbuild";
import { buildLivepatch, readPatch } from "@suture/pipeline";
import type { Task } from "@suture/task";
import type { Fix } from "./manifest.ts";
import type { Result } from "./results.ts";

export async function buildFix(task: Task, kernel: KernelContext, fix: Fix, folder: string, module: string): Promise<Result> {
  const started = performance.now();
  const result = (more: Pick<Result, "outcome"> & Partial<Result>): Result => ({
    name: fix.name,
    class: fix.class,
    buildMs: performance.now() - started,
    functions: [],
    skipped: [],
    modules: [],
    ...more,
  });
  try {
    const patches = [await readPatch(join(folder, fix.patch))];
    const { bytes, manifest } = await buildLivepatch(task, kernel, { patches, replace: false, unproven: false });
    writeFileSync(module, bytes);
    const owners = [...new Set(manifest.functions.map((f) => f.owner))].filter((owner) => owner !== "vmlinux");
    return result({
      outcome: "built",
      functions: manifest.functions.map((f) => `${f.object}:${f.name}`),
      skipped: manifest.skipped.map((s) => `${s.object}:${s.name}`),
      modules: owners.map((name) => ({ name })),
    });
  } catch (error) {
    task.check();
    if (error instanceof SutureError)
      return result({ outcome: "refused", code: error.code, why: `${error.where.symbol ?? ""} ${error.message}`.trim() });
    return result({ outcome: "failed", code: "CRASH", why: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}
