/** A warm build against gcc and objtool alone on the same object: everything else that a build does is the rest of the ratio. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { KernelContext } from "@suture/kbuild";
import { buildLivepatch, readPatch } from "@suture/pipeline";
import { Task } from "@suture/task";
import { EDITS, writePatch } from "./edits.ts";
import { median, row } from "./text.ts";

const RUNS = 3;

export async function warm(kernel: KernelContext, folder: string, suture: string): Promise<void> {
  console.log("\n(a) warm build / gcc + objtool alone, the same object; medians of 3 runs");
  console.log(row(["object", "gcc+objtool", "build", "ratio", "command", "ratio"]));
  for (const edit of EDITS) {
    const patch = writePatch(kernel.target.tree, folder, edit);
    if (patch === undefined) continue;
    const options = { patches: [await readPatch(patch)], replace: false, unproven: false };
    await buildLivepatch(new Task(), kernel, options);
    const [alone, built, command] = [[], [], []] as [number[], number[], number[]];
    for (let i = 0; i < RUNS; i++) {
      alone.push(compileAlone(kernel, `${edit.object}.o`, folder));
      built.push(await timed(() => buildLivepatch(new Task(), kernel, options)));
      command.push(
        await timed(async () => run(suture, ["build", patch, "--kernel", kernel.target.release, "--output", join(folder, "x.ko")])),
      );
    }
    const [a, b, c] = [median(alone), median(built), median(command)];
    console.log(row([edit.object, ms(a), ms(b), (b / a).toFixed(2), ms(c), (c / a).toFixed(2)]));
  }
}

/** What kbuild runs for the object, without kbuild. @returns milliseconds */
export function compileAlone(kernel: KernelContext, object: string, folder: string): number {
  const started = performance.now();
  run("sh", ["-c", aloneCommand(kernel, object, join(folder, "alone"))], kernel.target.tree);
  return performance.now() - started;
}

/** For a shell in the tree. @param to where the object and what it depends on go, without their endings */
export function aloneCommand(kernel: KernelContext, object: string, to: string): string {
  const { compile, objtool, depfile } = kernel.commands.of(object);
  const line = compile.replace(depfile, `${to}.d`).replace(` -c -o ${object} `, ` -g0 -c -o ${to}.o `);
  return `${line} && ${objtool === undefined ? "true" : objtool.replace(new RegExp(`${object}\\s*$`), `${to}.o`)}`;
}

function run(program: string, args: string[], cwd?: string): void {
  const { status, stderr } = spawnSync(program, args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}: ${stderr}`);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

function ms(value: number): string {
  return `${Math.round(value)} ms`;
}
