/** Real fixes end to end against gcc and objtool alone on the same objects, in the same run: what a build costs beside compiling. */
import { existsSync, mkdtempSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import { KernelContext, pick } from "@suture/kbuild";
import { buildLivepatch, readPatch } from "@suture/pipeline";
import { prepareTarget } from "@suture/sources";
import { Task } from "@suture/task";
import { readManifest } from "../qualification/corpus/manifest.ts";
import { median, row } from "./text.ts";
import { compileAlone } from "./warm.ts";

const COUNT = 10;

/** @param corpus a folder of real fixes, as `npm run qualify -- corpus` takes it */
export async function fixes(corpus: string | undefined, cache: string, folder: string): Promise<void> {
  const given = corpusOr(corpus, "fixes");
  if (given === undefined) return;
  const { release, patches } = readManifest(given);
  const target = await prepareTarget(new Task(), release, { cache });
  const kernel = await KernelContext.open(new Task(), target, cache);
  const fresh = await KernelContext.open(new Task(), target, withoutObjects(cache, folder));
  try {
    // Of one C file each, so that what is compiled is what is measured.
    const suitable = patches.filter((fix) => fix.class === "body" && fix.files.length === 1 && fix.objects.length === 1);
    const chosen = new Set(
      pick(
        suitable.map(({ name }) => name),
        COUNT,
        1,
      ),
    );
    console.log(`\n${COUNT} fixes of ${given}, ${release}: cold: nothing of the object was compiled before`);
    console.log(row(["object", "gcc+objtool", "cold", "ratio", "warm", "ratio", "compile", "diff", "link"]));
    const ratios: [number, number][] = [];
    for (const fix of suitable.filter(({ name }) => chosen.has(name))) {
      const [object] = fix.objects;
      if (object === undefined) continue;
      const options = { patches: [await readPatch(join(given, fix.patch))], replace: false, unproven: false };
      const cold = await timed(() => buildLivepatch(new Task(), fresh, options));
      await timed(() => buildLivepatch(new Task(), kernel, options));
      const warm = await timed((task) => buildLivepatch(task, kernel, options));
      const alone = compileAlone(kernel, object.object, folder);
      ratios.push([cold.ms / alone, warm.ms / alone]);
      console.log(
        row([
          `${object.object}${warm.refused === undefined ? "" : ` (${warm.refused})`}`,
          ms(alone),
          ms(cold.ms),
          (cold.ms / alone).toFixed(2),
          ms(warm.ms),
          (warm.ms / alone).toFixed(2),
          ...["compile", "diff", "link"].map((name) => ms(warm.stages.get(name) ?? Number.NaN)),
        ]),
      );
    }
    const [cold, warm] = [median(ratios.map(([ratio]) => ratio)), median(ratios.map(([, ratio]) => ratio))];
    console.log(row(["median", "", "", cold.toFixed(2), "", warm.toFixed(2)]));
  } finally {
    kernel.close();
    fresh.close();
  }
}

/** @returns undefined, said, where there is none */
export function corpusOr(corpus: string | undefined, name: string): string | undefined {
  if (corpus !== undefined && existsSync(join(corpus, "manifest.json"))) return corpus;
  const where = corpus === undefined ? "" : ` in ${corpus}`;
  console.log(`\n${name}: no corpus${where}. Name its folder: npm run bench -- ${name} --corpus DIR, or SUTURE_CORPUS`);
  return undefined;
}

/** A cache that has what is known of kernels, and no compiled objects. */
export function withoutObjects(cache: string, folder: string): string {
  const fresh = mkdtempSync(join(folder, "fresh-"));
  for (const name of ["images", "kbuild"]) symlinkSync(join(cache, name), join(fresh, name));
  return fresh;
}

export async function timed(
  work: (task: Task) => Promise<unknown>,
): Promise<{ ms: number; stages: ReadonlyMap<string, number>; refused?: string }> {
  const task = new Task();
  const started = performance.now();
  let refused: string | undefined;
  try {
    await work(task);
  } catch (error) {
    if (!(error instanceof SutureError)) throw error;
    refused = error.code;
  }
  const stages = new Map(task.timings.map(({ name, ms }) => [name, ms]));
  return { ms: performance.now() - started, stages, ...(refused === undefined ? {} : { refused }) };
}

function ms(value: number): string {
  return `${Math.round(value)} ms`;
}
