/** Builds the livepatch of one fix. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import type { KernelContext } from "@suture/kbuild";
import { buildLivepatch, readPatch } from "@suture/pipeline";
import type { Task } from "@suture/task";
import type { Result } from "../kept.ts";
import type { Fix } from "./manifest.ts";

/** What a result says besides. */
export interface Built {
  class: string;
  buildMs: number;
  /** Functions replaced, as OBJECT:FUNCTION. */
  functions: string[];
  skipped: string[];
  /** Modules that the fix is for, and whether each could be loaded in the guest. */
  modules: { name: string; loaded?: boolean }[];
  transitionMs?: number | undefined;
}

export type FixResult = Result & { more: Built & Record<string, unknown> };

/** The outcome is "built"; "refused" is right where Suture says so, and nothing else is. */
export async function buildFix(task: Task, kernel: KernelContext, fix: Fix, folder: string, module: string): Promise<FixResult> {
  const started = performance.now();
  const result = (found: Pick<Result, "outcome" | "good" | "code" | "why">, more: Partial<Built> = {}): FixResult => {
    const ms = Math.round(performance.now() - started);
    return { name: fix.name, ms, ...found, more: { class: fix.class, buildMs: ms, functions: [], skipped: [], modules: [], ...more } };
  };
  try {
    const patches = [await readPatch(join(folder, fix.patch))];
    const { bytes, manifest } = await buildLivepatch(task, kernel, { patches, replace: false, unproven: false });
    writeFileSync(module, bytes);
    const owners = [...new Set(manifest.functions.map((f) => f.owner))].filter((owner) => owner !== "vmlinux");
    return result(
      { outcome: "built", good: true },
      {
        functions: manifest.functions.map((f) => `${f.object}:${f.name}`),
        skipped: manifest.skipped.map((s) => `${s.object}:${s.name}`),
        modules: owners.map((name) => ({ name })),
      },
    );
  } catch (error) {
    task.check();
    if (error instanceof SutureError)
      return result({ good: true, outcome: "refused", code: error.code, why: `${error.where.symbol ?? ""} ${error.message}`.trim() });
    return result({ good: false, outcome: "crashed", why: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}
