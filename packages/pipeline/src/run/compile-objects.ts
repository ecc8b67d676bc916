/** The affected objects, compiled before and after the change, and the originals proven to be what the kernel runs. */
import { join } from "node:path";
import { type ElfObject, readElf } from "@suture/elf";
import type { KernelContext, ObjectCommand, SourceView } from "@suture/kbuild";
import { compile, compileKept, proveOriginal, refuseUnproven, type Variant } from "@suture/kbuild";
import type { ObjectProof } from "@suture/proof";
import type { Task } from "@suture/task";
import { inParallel } from "@suture/task";

/** One affected object on its way through the pipeline. */
export interface Compiled {
  command: ObjectCommand;
  original: { elf: ElfObject; bytes: Uint8Array };
  patched: Uint8Array;
  /** Of the original. */
  proof: ObjectProof;
}

/** Compiles and proves: while a compiler runs, what is compiled already is held against the kernel. */
export async function compileObjects(
  task: Task,
  kernel: KernelContext,
  { affected, asked }: { affected: readonly ObjectCommand[]; asked: readonly string[] },
  view: SourceView,
  { jobs, variant }: { jobs: number; variant: Variant },
): Promise<Compiled[]> {
  return task.stage("compile", async (stage) => {
    const changed = new Set(affected);
    const same = asked
      .map((object) => kernel.commands.of(object))
      .filter(({ object }) => !affected.some((other) => other.object === object));
    const objects = [...affected, ...same];
    const total = 3 * affected.length + 2 * same.length;
    const { original } = kernel;
    const compiler = { identity: kernel.compiler, cache: join(kernel.cache, "objects") };
    let done = 0;
    let compilerMs = 0;
    let proofMs = 0;
    const counted = ({ object, bytes, ms }: { object: string; bytes: Uint8Array; ms: number }): Uint8Array => {
      stage.note(object);
      compilerMs += ms;
      stage.progress(++done, total, "compilations");
      return bytes;
    };
    const patched = new Map<ObjectCommand, Uint8Array>();
    const originals = new Map<ObjectCommand, Pick<Compiled, "original" | "proof">>();
    // The patched one first: it may not compile.
    const works = objects.flatMap((command) => [
      async () => {
        if (changed.has(command)) patched.set(command, counted(await compile(task, command, variant, view)));
      },
      async () => {
        const plain = counted(await compileKept(task, command, "plain", original, compiler));
        const bytes = counted(await compileKept(task, command, variant, original, compiler));
        const started = performance.now();
        const elf = readElf(bytes, command.object);
        originals.set(command, { original: { elf, bytes }, proof: await proveOriginal(task, kernel, command, plain, elf) });
        proofMs += performance.now() - started;
      },
    ]);
    await inParallel(works, jobs, (work) => work());
    const what = objects.length === 1 ? objects[0]?.object : `${objects.length} objects`;
    stage.result(`${what}: compiler ${(compilerMs / 1000).toFixed(1)} s, proof ${proofMs.toFixed(0)} ms`);
    return objects.map((command) => {
      const proven = originals.get(command) as Pick<Compiled, "original" | "proof">;
      return { command, patched: patched.get(command) ?? proven.original.bytes, ...proven };
    });
  });
}

/** @throws BUILD_UNPROVEN */
export function checkProofs(task: Task, compiled: readonly Compiled[], unproven: boolean): void {
  for (const { proof } of compiled.filter((object) => !object.proof.complete)) {
    const refusal = refuseUnproven(proof);
    if (!unproven) throw refusal;
    task.reporter.warn(`${proof.object} is NOT PROVEN to be what the kernel runs: ${refusal.message}`);
  }
}
