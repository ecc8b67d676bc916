/** The proof by itself: any of a kernel's objects, compiled here and held against the kernel. */
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { readElf } from "@suture/elf";
import { SutureError } from "@suture/errors";
import type { ObjectProof } from "@suture/proof";
import type { Task } from "@suture/task";
import { inParallel } from "@suture/task";
import * as v from "valibot";
import { compile } from "../compile.ts";
import type { KernelContext } from "../context.ts";
import { fail } from "../errors.ts";
import type { Commands } from "../make/commands.ts";
import { keyOf } from "../make/key.ts";
import { proveOriginal } from "./prove.ts";

export interface ProvenObject {
  object: string;
  owner: string;
  /** Functions that the running kernel has, and those of them that are proven. Weak ones that it overrides are not counted. */
  functions: number;
  proven: number;
  overridden: string[];
  /** Of what is not proven: each function with its first doubt. */
  doubts: { function: string; code: string; why: string }[];
  /** The likeliest cause of a mismatch. */
  cause: string | undefined;
  /** Why it could not be compiled or compared at all. */
  failure: { code: string; why: string } | undefined;
  compileMs: number;
  proofMs: number;
}

/** What says which objects are the kernel's. */
type OfKernel = Pick<KernelContext, "commands" | "target">;

/**
 * Objects by what a person names: `fs/pipe.o`, `fs/pipe.c`.
 * @throws PROVE_NO_OBJECT
 */
export function objectsNamed(commands: Commands, words: readonly string[]): string[] {
  const all = new Set(commands.objects);
  return words.flatMap((word) => {
    const name = word.replace(/^\.\//, "");
    const found = all.has(name) ? [name] : commands.ofSource(name);
    if (found.length === 0) throw fail("PROVE_NO_OBJECT", `the kernel is not built from ${word}`, { file: word });
    return found;
  });
}

/** A number of the kernel's objects, chosen by a seed. Code that is not the kernel's own (boot loader, vdso) is not among them. */
export function sampleObjects(kernel: OfKernel, count: number, seed: number): string[] {
  return pick(kernelObjects(kernel), count, seed);
}

/** A number of the objects, chosen by a seed: the same for the same seed everywhere. */
export function pick(from: readonly string[], count: number, seed: number): string[] {
  const objects = [...from];
  let state = seed >>> 0;
  // Mulberry32.
  const random = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const chosen: string[] = [];
  while (chosen.length < count && objects.length > 0) chosen.push(...objects.splice(Math.floor(random() * objects.length), 1));
  return chosen.sort();
}

/** Folders whose objects are programs of their own that stand beside or before the kernel, whatever the processor. */
const PROGRAMS = ["drivers/firmware/efi/libstub", "usr", "scripts", "certs"];

export function kernelObjects({ commands, target }: OfKernel): string[] {
  const folders = [...target.arch.kbuild.programs, ...PROGRAMS];
  return commands.objects.filter((object) => !folders.some((folder) => object.startsWith(`${folder}/`)));
}

/** @param resume keep results in the cache and do not do again what was done for this kernel */
export async function proveObjects(
  task: Task,
  kernel: KernelContext,
  objects: readonly string[],
  { jobs, resume: wanted }: { jobs: number; resume: boolean },
): Promise<ProvenObject[]> {
  // Source outside of a tree is somebody's, who edits it.
  const resume = wanted && kernel.outside === undefined;
  return task.stage("prove", async (stage) => {
    const folder = join(kernel.cache, "proofs");
    const path = join(folder, `${keyOf(kernel.target, ["proofs", kernel.tools.identity])}.jsonl`);
    const known = resume ? await readKnown(path) : new Map<string, ProvenObject>();
    if (resume) await mkdir(folder, { recursive: true });
    let done = 0;
    const results = await inParallel(objects, jobs, async (object) => {
      stage.note(object);
      const result = known.get(object) ?? (await proveOne(task, kernel, object));
      if (resume && !known.has(object)) await appendFile(path, lineOf(result));
      stage.progress(++done, objects.length, "objects");
      return result;
    });
    const functions = results.reduce((sum, { functions }) => sum + functions, 0);
    const proven = results.reduce((sum, { proven }) => sum + proven, 0);
    stage.result(`${proven} of ${functions} functions in ${results.length} objects`);
    return results;
  });
}

/** It begins with the end of a line: what an interrupted run left of one stands by itself. */
export function lineOf(result: ProvenObject): string {
  return `\n${JSON.stringify(result)}\n`;
}

/** Of lines that were written whole. */
export async function readKnown(path: string): Promise<Map<string, ProvenObject>> {
  const text = await readFile(path, "utf8").catch(() => "");
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  return new Map(whole.split("\n").flatMap((line) => resultOf(line).map((result) => [result.object, result])));
}

function resultOf(line: string): ProvenObject[] {
  try {
    const checked = v.safeParse(RESULT, JSON.parse(line));
    return checked.success ? [{ ...checked.output, cause: checked.output.cause, failure: checked.output.failure }] : [];
  } catch {
    return [];
  }
}

const NAMED = v.object({ code: v.string(), why: v.string() });
const RESULT = v.object({
  object: v.string(),
  owner: v.string(),
  functions: v.number(),
  proven: v.number(),
  overridden: v.array(v.string()),
  doubts: v.array(v.object({ function: v.string(), ...NAMED.entries })),
  cause: v.optional(v.string()),
  failure: v.optional(NAMED),
  compileMs: v.number(),
  proofMs: v.number(),
});

async function proveOne(task: Task, kernel: KernelContext, object: string): Promise<ProvenObject> {
  const empty = { object, owner: "", functions: 0, proven: 0, overridden: [], doubts: [], cause: undefined, compileMs: 0, proofMs: 0 };
  try {
    const command = kernel.commands.of(object);
    const tree = kernel.original;
    const plain = await compile(task, command, "plain", tree);
    const sections = await compile(task, command, "sections", tree);
    const started = performance.now();
    const proof = await proveOriginal(task, kernel, command, plain.bytes, readElf(sections.bytes, object));
    const proofMs = performance.now() - started;
    return { ...empty, ...counted(proof), owner: command.owner, failure: undefined, compileMs: plain.ms + sections.ms, proofMs };
  } catch (error) {
    task.check();
    if (!(error instanceof SutureError)) throw error;
    return { ...empty, failure: { code: error.code, why: error.message } };
  }
}

function counted(proof: ObjectProof): Pick<ProvenObject, "functions" | "proven" | "overridden" | "doubts" | "cause"> {
  const own = proof.functions.filter((f) => f.doubts[0]?.code !== "overridden");
  return {
    functions: own.length,
    proven: own.filter((f) => f.proven).length,
    overridden: proof.overridden.map(({ name }) => name),
    doubts: own.flatMap((f) => (f.proven ? [] : [{ function: f.name, code: f.doubts[0]?.code ?? "unknown", why: f.doubts[0]?.why ?? "" }])),
    cause: proof.causes[0]?.why,
  };
}
