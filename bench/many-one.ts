/** Builds one livepatch of many patches, in a process of its own, whose memory is what that takes. `RELEASE CACHE PATCH...` → JSON. */
import { SutureError } from "@suture/errors";
import { KernelContext } from "@suture/kbuild";
import { buildLivepatch, readPatch } from "@suture/pipeline";
import { prepareTarget } from "@suture/sources";
import { Task } from "@suture/task";

export interface Built {
  ms: number;
  /** MB of the whole process, at the most. */
  mostMb: number;
  /** Objects that functions are replaced of. */
  objects: string[];
  functions: number;
  bytes: number;
  /** Milliseconds of each stage. */
  stages: Record<string, number>;
  /** Files that were refused: no livepatch was built then. */
  refused: { code: string; file: string }[];
}

const [release = "", cache = "", ...paths] = process.argv.slice(2);
const task = new Task();
const target = await prepareTarget(task, release, { cache });
const kernel = await KernelContext.open(task, target, cache);
const patches = await Promise.all(paths.map((path) => readPatch(path)));
const started = performance.now();
const built: Omit<Built, "ms" | "mostMb"> = { objects: [], functions: 0, bytes: 0, stages: {}, refused: [] };
try {
  const { bytes, manifest } = await buildLivepatch(task, kernel, { patches, name: "many", replace: false, unproven: false });
  built.objects = [...new Set(manifest.functions.map(({ object }) => object))];
  built.functions = manifest.functions.length;
  built.bytes = bytes.length;
} catch (error) {
  if (!(error instanceof SutureError)) throw error;
  built.refused = error.all.map(({ code, where }) => ({ code, file: where.file ?? "" }));
}
const ms = performance.now() - started;
for (const { name, ms: took } of task.timings) built.stages[name] = Math.round(took);
console.log(JSON.stringify({ ...built, ms, mostMb: process.resourceUsage().maxRSS / 1024 } satisfies Built));
kernel.close();
