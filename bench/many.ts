/**
 * Hundreds of real fixes as one livepatch, against gcc and objtool for the objects that it replaces functions of, on as many processors, in the same run.
 * Fixes that are refused are left out first; nothing of what is measured was compiled before.
 */
import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { KernelContext } from "@suture/kbuild";
import { prepareTarget } from "@suture/sources";
import { inParallel, run, Task } from "@suture/task";
import { type Fix, readManifest } from "../qualification/corpus/manifest.ts";
import { corpusOr, withoutObjects } from "./fixes.ts";
import type { Built } from "./many-one.ts";
import { row } from "./text.ts";
import { aloneCommand } from "./warm.ts";

/** So often at most are refused ones left out. */
const ROUNDS = 8;

/** @param most fixes at most */
export async function many(corpus: string | undefined, cache: string, folder: string, most: number): Promise<void> {
  const given = corpusOr(corpus, "many");
  if (given === undefined) return;
  const { release, patches } = readManifest(given);
  const paths = (fixes: readonly Fix[]): string[] => fixes.map(({ patch }) => join(given, patch));
  let fixes = patches.filter(({ class: kind }) => kind === "body" || kind === "new-func").slice(0, most);
  console.log(`\nmany fixes as one livepatch: ${given}, ${release}`);
  for (let round = 0; ; round++) {
    const { refused } = build(release, cache, paths(fixes));
    if (refused.length === 0) break;
    if (round === ROUNDS) throw new Error(`still refused: ${refused.map(({ code, file }) => `${code} ${file}`).join(", ")}`);
    const files = new Set(refused.map(({ file }) => file));
    const kept = fixes.filter(
      ({ patch, files: own, objects }) =>
        !files.has(join(given, patch)) && !own.some((file) => files.has(file)) && !objects.some(({ object }) => files.has(object)),
    );
    if (kept.length === fixes.length) throw new Error(`refused, and by none of the fixes: ${JSON.stringify(refused)}`);
    fixes = kept;
  }
  const built = build(release, withoutObjects(cache, folder), paths(fixes));
  const alone = await compileAll(release, cache, folder, built.objects);
  console.log(row(["fixes", "objects", "functions", "MB", "gcc+objtool", "build", "ratio", "peak"]));
  console.log(
    row([
      String(fixes.length),
      String(built.objects.length),
      String(built.functions),
      (built.bytes / 1e6).toFixed(1),
      seconds(alone),
      seconds(built.ms),
      (built.ms / alone).toFixed(2),
      `${Math.round(built.mostMb)} MB`,
    ]),
  );
  for (const [stage, ms] of Object.entries(built.stages)) console.log(row([`  ${stage}`, "", "", "", "", seconds(ms)]));
}

function build(release: string, cache: string, patches: readonly string[]): Built {
  const argv = ["--conditions=source", "--import", "tsx", join(import.meta.dirname, "many-one.ts"), release, cache, ...patches];
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: "utf8", maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`the build ended with ${status}: ${stderr}`);
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as Built;
}

/** On all processors. @returns milliseconds */
async function compileAll(release: string, cache: string, folder: string, objects: readonly string[]): Promise<number> {
  const task = new Task();
  const kernel = await KernelContext.open(task, await prepareTarget(task, release, { cache }), cache);
  try {
    const started = performance.now();
    await inParallel(objects, availableParallelism(), async (object) => {
      await run(task, ["sh", "-c", aloneCommand(kernel, object, join(folder, object.replaceAll("/", "-")))], { cwd: kernel.target.tree });
    });
    return performance.now() - started;
  } finally {
    kernel.close();
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
