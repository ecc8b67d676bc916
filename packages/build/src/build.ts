/** The pipeline: source patches in, a livepatch module out. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { type Delta, diff } from "@suture/diff";
import { readElf, writeElf } from "@suture/elf";
import { combine, finish, type Manifest, moduleName, type Part, verify, writeManifest } from "@suture/livepatch";
import type { ObjectProof } from "@suture/proof";
import type { Task } from "@suture/task";
import { type Affected, affectedObjects } from "./affected.ts";
import { compile, compileKept } from "./compile.ts";
import { KernelContext } from "./context.ts";
import { fail } from "./errors.ts";
import type { ObjectCommand } from "./kbuild/commands.ts";
import { linkModule } from "./link/module.ts";
import { recipeOf } from "./link/recipe.ts";
import { patchName } from "./name.ts";
import { applyPatches, type ChangedFile } from "./patch/apply.ts";
import { keepLineNumbers } from "./patch/lines.ts";
import { readPatch, type SourcePatch } from "./patch/read.ts";
import { inParallel } from "./pool.ts";
import { proveOriginal, refuseUnproven } from "./prove.ts";
import type { Target } from "./target.ts";
import { SourceView } from "./view.ts";

export interface BuildOptions {
  /** Paths of patch files, applied in this order. */
  patches: readonly string[];
  /** Of the module, without `livepatch-`; taken from the patch's file name unless given. */
  name?: string | undefined;
  /** Whether loading it takes all other livepatches out. */
  replace: boolean;
  /** Build although an object is not proven to be what the kernel runs. */
  unproven: boolean;
  /** Compilers at a time; as many as there are processors unless given. */
  jobs?: number | undefined;
  cache: string;
}

export interface Livepatch {
  /** The .ko file. */
  bytes: Uint8Array;
  /** livepatch-NAME.ko */
  file: string;
  manifest: Manifest;
}

/** One affected object on its way through the pipeline. */
interface Compiled {
  command: ObjectCommand;
  plain: Uint8Array;
  original: Uint8Array;
  patched: Uint8Array;
}

/** @throws every refusal of the pipeline's packages: PATCH_*, BUILD_*, DIFF_*, KLP_*, KERNEL_*, ELF_* */
export async function buildLivepatch(task: Task, target: Target, options: BuildOptions): Promise<Livepatch> {
  const jobs = options.jobs ?? availableParallelism();
  const patches = await Promise.all(options.patches.map(readPatch));
  const name = patchName(options.name, patches);
  const files = await applyPatches(target.tree, patches);
  const [kernel, recipe] = await task.stage("kernel", async (stage) => {
    const opened = await Promise.all([
      KernelContext.open(task, target, options.cache),
      recipeOf(task, target, join(options.cache, "kbuild")),
    ]);
    stage.result(`${opened[0].image.release}, build-id ${opened[0].image.buildId.slice(0, 12)}`);
    return opened;
  });
  const view = await SourceView.make(target.tree, overlayOf(files));
  try {
    const from = options.patches.join(", ");
    const affected = await affectedObjects(task, target, kernel.commands, files, view, {
      cache: join(options.cache, "kbuild"),
      jobs,
      from,
    });
    if (affected.objects.length === 0) throw nothingChanged(affected, from);
    const compiled = await compileAll(task, kernel, affected.objects, view, jobs, options.cache);
    const proofs = await proveAll(task, kernel, compiled, options.unproven);
    const parts = await compareAll(task, kernel, compiled, proofs, from);
    return await task.stage("link", async (stage) => {
      const combined = combine(parts, { name, replace: options.replace, world: kernel.world, btf: kernel.btf });
      const manifest = await manifestOf(kernel, options, name, patches, { parts, proofs, combined, compiled });
      const linked = await linkModule(task, target, recipe, moduleName(`livepatch-${name}`), writeElf(combined.object));
      const file = `livepatch-${name}.ko`;
      const bytes = finish(linked, file, writeManifest(manifest));
      verify(bytes, file, target.release, kernel.world.kernel);
      stage.result(`${file}, ${bytes.length} bytes`);
      return { bytes, file, manifest };
    });
  } finally {
    await view.dispose();
    kernel.image.close();
  }
}

function overlayOf(files: readonly ChangedFile[]): Map<string, string> {
  return new Map(
    files.map(({ path, before, after }) => [path, before === undefined || !/\.[ch]$/.test(path) ? after : keepLineNumbers(before, after)]),
  );
}

function nothingChanged(affected: Affected, from: string) {
  const why =
    affected.ignored.length > 0 && affected.same === 0
      ? `it changes only ${affected.ignored.join(", ")}, of which no kernel is made`
      : `the ${affected.same} objects that it may affect are the same after preprocessing`;
  return fail("BUILD_NOTHING_CHANGED", why, { file: from });
}

async function compileAll(
  task: Task,
  kernel: KernelContext,
  objects: readonly ObjectCommand[],
  view: SourceView,
  jobs: number,
  cache: string,
): Promise<Compiled[]> {
  return task.stage("compile", async (stage) => {
    const original = SourceView.of(kernel.target.tree);
    const compiler = { identity: kernel.compiler, cache: join(cache, "objects") };
    let done = 0;
    let ms = 0;
    // The three builds of an object one by one, so that few objects are in memory at a time; the patched one first, as it may not compile.
    const works = objects.flatMap((command) => (["patched", "plain", "original"] as const).map((what) => ({ command, what })));
    const results = await inParallel(works, jobs, async ({ command, what }) => {
      stage.note(command.object);
      const result =
        what === "patched"
          ? await compile(task, command, "sections", view)
          : await compileKept(task, command, what === "plain" ? "plain" : "sections", original, compiler);
      ms += result.ms;
      stage.progress(++done, works.length, "compilations");
      return result.bytes;
    });
    stage.result(`${objects.length === 1 ? objects[0]?.object : `${objects.length} objects`}, compiler ${(ms / 1000).toFixed(1)} s`);
    return objects.map((command, i) => ({
      command,
      patched: results[3 * i] as Uint8Array,
      plain: results[3 * i + 1] as Uint8Array,
      original: results[3 * i + 2] as Uint8Array,
    }));
  });
}

async function proveAll(task: Task, kernel: KernelContext, compiled: readonly Compiled[], unproven: boolean): Promise<ObjectProof[]> {
  return task.stage("prove", async (stage) => {
    const proofs: ObjectProof[] = [];
    for (const { command, plain, original } of compiled) {
      stage.note(command.object);
      const proof = await proveOriginal(task, kernel, command, plain, original);
      if (!proof.complete) {
        if (!unproven) throw refuseUnproven(proof);
        task.reporter.warn(`${command.object} is not proven: ${refuseUnproven(proof).message}`);
      }
      proofs.push(proof);
    }
    const functions = proofs.flatMap((proof) => proof.functions);
    stage.result(`${functions.filter((f) => f.proven).length} of ${functions.length} functions are the kernel's, byte for byte`);
    return proofs;
  });
}

async function compareAll(
  task: Task,
  kernel: KernelContext,
  compiled: readonly Compiled[],
  proofs: readonly ObjectProof[],
  from: string,
): Promise<Part[]> {
  return task.stage("diff", async (stage) => {
    const parts: Part[] = [];
    for (const [i, { command, original, patched }] of compiled.entries()) {
      stage.note(command.object);
      const delta = compare(kernel, command, original, patched);
      if (delta.object === undefined && delta.skipped.length === 0) continue;
      const proof = proofs[i] as ObjectProof;
      if (command.owner !== "vmlinux")
        await kernel.openExporters(
          task,
          delta.externals.map(({ symbol }) => symbol.name),
        );
      parts.push({ object: command.object, owner: kernel.owner(command.owner), delta, locate: (symbol) => proof.place(symbol) });
    }
    const functions = parts.flatMap(({ delta }) => delta.functions.map(({ name }) => name));
    if (functions.length === 0) {
      const skipped = parts.flatMap(({ delta }) => delta.skipped);
      if (skipped.length > 0)
        throw fail("BUILD_NOT_AT_RUN_TIME", skipped.map(({ name, why }) => `${name} ${why}`).join("; "), { file: from });
      throw fail("BUILD_NOTHING_CHANGED", `${compiled.map(({ command }) => command.object).join(", ")}: the code is the same`, {
        file: from,
      });
    }
    stage.result(`${functions.length} changed: ${functions.join(", ")}`.slice(0, 200));
    return parts;
  });
}

function compare(kernel: KernelContext, command: ObjectCommand, original: Uint8Array, patched: Uint8Array): Delta {
  return diff(readElf(original, command.object), readElf(patched, command.object), {
    layouts: kernel.layouts,
    build: { module: command.owner !== "vmlinux", memoryHotplug: kernel.config.enabled("CONFIG_MEMORY_HOTPLUG") },
  });
}

async function manifestOf(
  kernel: KernelContext,
  options: BuildOptions,
  name: string,
  patches: readonly SourcePatch[],
  results: { parts: readonly Part[]; proofs: readonly ObjectProof[]; combined: ReturnType<typeof combine>; compiled: readonly Compiled[] },
): Promise<Manifest> {
  const { parts, proofs, combined, compiled } = results;
  const doubtful = proofs.filter((proof) => !proof.complete);
  return {
    suture: 1,
    name,
    kernel: { release: kernel.image.release, buildId: kernel.image.buildId },
    proof: {
      proven: doubtful.length === 0,
      functions: proofs.reduce((sum, proof) => sum + proof.functions.filter((f) => f.proven).length, 0),
      ...(doubtful.length === 0 ? {} : { reason: doubtful.map((proof) => refuseUnproven(proof).message).join("; ") }),
    },
    replace: options.replace,
    objects: compiled.map(({ command, original, patched }) => ({
      path: command.object,
      owner: command.owner,
      original: sha256(original),
      patched: sha256(patched),
    })),
    functions: combined.functions,
    added: parts.flatMap(({ object, delta }) => delta.added.map((added) => ({ object, ...added }))),
    skipped: parts.flatMap(({ object, delta }) => delta.skipped.map((skipped) => ({ object, ...skipped }))),
    symbols: combined.symbols,
    compiler: kernel.compiler,
    inputs: [
      ...patches.map((patch) => ({ kind: "patch" as const, name: patch.name, sha256: sha256(patch.bytes) })),
      ...kernel.target.inputs,
      { kind: "image" as const, name: basename(kernel.target.image), sha256: kernel.image.sha256 },
      { kind: "config" as const, name: ".config", sha256: sha256(await readFile(kernel.target.config)) },
    ],
    fixes: patches.map(({ subject, cves }) => ({ ...(subject === undefined ? {} : { subject }), cves })),
  };
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
