/** The pipeline: source patches in, a livepatch module out. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { type Delta, diff } from "@suture/diff";
import { type ElfObject, readElf } from "@suture/elf";
import { SutureError } from "@suture/errors";
import { type Combined, combine, type DraftManifest, type Locate, moduleName, type Part, type State } from "@suture/livepatch";
import type { ObjectProof } from "@suture/proof";
import type { Task } from "@suture/task";
import { type Affected, affectedObjects } from "./affected.ts";
import { type Authored, authoredParts } from "./authored/authored.ts";
import { buildOwnModule, enablesItself } from "./authored/own-module.ts";
import type { AuthoredSource } from "./authored/read.ts";
import { compile, compileKept, type Variant } from "./compile.ts";
import type { KernelContext } from "./context.ts";
import { diffOptions } from "./diff-options.ts";
import { fail } from "./errors.ts";
import { handedNotes } from "./handed-notes.ts";
import type { ObjectCommand } from "./kbuild/commands.ts";
import { type Livepatch, linkLivepatch } from "./link/livepatch.ts";
import { patchName } from "./name.ts";
import { applyPatches, type ChangedFile } from "./patch/apply.ts";
import { overlayOf } from "./patch/overlay.ts";
import type { SourcePatch } from "./patch/read.ts";
import { mayChangeTypes } from "./patch/scope.ts";
import { inParallel } from "./pool.ts";
import { locator, proveOriginal, reachOf, refuseUnproven } from "./prove.ts";
import { type Asked, askedObjects, forceOf, leftOut } from "./rebuild.ts";
import { checkLayouts } from "./types.ts";
import { madeOf, type Upon, withUpon } from "./upon.ts";
import type { Overlay, SourceView } from "./view.ts";
import { compileWide, type Wide, wantsRoom } from "./wide-branches.ts";

export interface BuildOptions {
  /** Applied in this order. */
  patches: readonly SourcePatch[];
  /** C files that were written by hand, besides the patches or instead. */
  sources?: readonly AuthoredSource[] | undefined;
  /** The livepatch that this one takes the place of: all that it was made of is part of this one too. */
  upon?: Upon | undefined;
  /** What the livepatch does to the system, besides what its sources say. */
  states?: readonly State[] | undefined;
  /** Objects and functions that are replaced by themselves: `OBJECT`, `OBJECT:FUNCTION` or `FUNCTION`. */
  rebuild?: readonly string[] | undefined;
  /** Of the module, without `livepatch-`; made out of the first patch's file name unless given. */
  name?: string | undefined;
  /** Whether loading it takes all other livepatches out. */
  replace: boolean;
  /** Build although an object is not proven to be what the kernel runs. */
  unproven: boolean;
  /** Structures that may lie otherwise than before: somebody knows that the new code meets no object of the old layout. */
  acceptLayouts?: readonly string[] | undefined;
  /** Compilers at a time; as many as there are processors unless given. */
  jobs?: number | undefined;
}

/** One affected object on its way through the pipeline. */
interface Compiled {
  command: ObjectCommand;
  original: { elf: ElfObject; bytes: Uint8Array };
  patched: Uint8Array;
  /** Of the original. */
  proof: ObjectProof;
}

/** What changed in an object, and what was to be replaced by itself and is not. */
interface Compared extends Part {
  delta: Delta;
  notTaken: Delta["notTaken"];
}

/** @throws every refusal of the pipeline's packages: PATCH_*, AUTHORED_*, BUILD_*, DIFF_*, KLP_*, KERNEL_*, ELF_* */
export async function buildLivepatch(task: Task, kernel: KernelContext, given: BuildOptions): Promise<Livepatch> {
  const [own] = (given.sources ?? []).filter(enablesItself);
  if (own !== undefined) {
    checkAlone(given, own.name);
    return buildOwnModule(task, kernel, own, given.unproven);
  }
  const name = patchName(given.name, [...given.patches, ...(given.sources ?? [])], given.rebuild ?? []);
  const options = withUpon(given, kernel);
  const { patches, rebuild = [], sources = [] } = options;
  const from = [...patches.map((patch) => patch.name), ...rebuild].join(", ");
  const compared = patches.length + rebuild.length === 0 ? NOTHING : await comparePatches(task, kernel, options, from);
  const authored =
    sources.length === 0
      ? undefined
      : await authoredParts(task, kernel, sources, { module: moduleName(`livepatch-${name}`), unproven: options.unproven });
  for (const { object, text } of authored?.notes ?? []) task.reporter.warn(`${object}: ${text}`);
  return task.stage("link", async (stage) => {
    const states = statesOf([...(options.states ?? []), ...(authored?.states ?? [])]);
    const parts = [...compared.parts, ...(authored?.parts ?? [])];
    const combined = combine(parts, { name, replace: options.replace, states, world: kernel.world, btf: kernel.btf });
    const draft = await manifestOf(kernel, options, name, { ...compared, combined, authored, states });
    const livepatch = await linkLivepatch(task, kernel, combined.object, draft);
    stage.result(`${livepatch.file}, ${livepatch.bytes.length} bytes`);
    return livepatch;
  });
}

interface Results {
  parts: readonly Compared[];
  compiled: readonly Compiled[];
}

const NOTHING: Results = { parts: [], compiled: [] };

/** A module that registers itself is built as it is. @throws AUTHORED_SOURCE */
function checkAlone({ patches, sources = [], rebuild = [], name, replace, upon, states = [] }: BuildOptions, file: string): void {
  const other = [
    ...(patches.length + sources.length + rebuild.length > 1 ? ["other sources or patches"] : []),
    ...(name === undefined ? [] : ["--name"]),
    ...(replace ? ["--replace"] : []),
    ...(upon === undefined ? [] : ["--upon"]),
    ...(states.length === 0 ? [] : ["--state"]),
  ];
  if (other.length > 0)
    throw fail(
      "AUTHORED_SOURCE",
      `it registers a livepatch itself, so it stands alone, without ${other.join(", ")}`,
      { file },
      {
        mend: "Give it alone; or leave klp_enable_patch() out, and say by <suture.h> what it replaces.",
      },
    );
}

/** Of a state that several have the highest version. */
function statesOf(states: readonly State[]): State[] {
  const highest = new Map<number, State>();
  for (const state of states) if ((highest.get(state.id)?.version ?? -1) < state.version) highest.set(state.id, state);
  return [...highest.values()].sort((a, b) => a.id - b.id);
}

async function comparePatches(task: Task, kernel: KernelContext, options: BuildOptions, from: string): Promise<Results> {
  const jobs = options.jobs ?? availableParallelism();
  const { patches, rebuild = [] } = options;
  const asked = await askedObjects(task, kernel, rebuild);
  const files = await applyPatches(kernel.sourceRoot, patches);
  const variant = files.some(({ path, before, after }) => mayChangeTypes(path, before, after)) ? "types" : "sections";
  const overlay = overlayOf(files);
  const view = await kernel.changed(task, overlay);
  try {
    const accepted = new Set(options.acceptLayouts);
    await checkTypesEarly(task, kernel, files, view, { variant, accepted });
    const affected = await affectedObjects(task, kernel, files, view, { jobs, from });
    if (affected.objects.length === 0 && asked.size === 0) throw nothingChanged(affected, from);
    const compiled = await compileAll(task, kernel, { affected: affected.objects, asked: [...asked.keys()] }, view, { jobs, variant });
    checkProofs(task, compiled, options.unproven);
    return { compiled, parts: await compareAll(task, kernel, compiled, { asked, overlay, variant, accepted, from }) };
  } finally {
    await view.dispose();
  }
}

function nothingChanged(affected: Affected, from: string) {
  const why =
    affected.ignored.length > 0 && affected.same === 0
      ? `it changes only ${affected.ignored.join(", ")}, of which no kernel is made`
      : `the ${affected.same} objects that it may affect are the same after preprocessing`;
  return fail("BUILD_NOTHING_CHANGED", why, { file: from });
}

/**
 * A changed header may reach hundreds of objects. Whether it changes a layout, which would be refused in the end, is mostly seen in the patch's
 * own C files already.
 * @throws BUILD_LAYOUT
 */
async function checkTypesEarly(
  task: Task,
  kernel: KernelContext,
  files: readonly ChangedFile[],
  view: SourceView,
  { variant, accepted }: { variant: Variant; accepted: ReadonlySet<string> },
): Promise<void> {
  if (variant !== "types" || files.every(({ path }) => path.endsWith(".c"))) return;
  const objects = files.flatMap(({ path }) => kernel.commands.ofSource(path));
  if (objects.length === 0) return;
  await task.stage("types", async (stage) => {
    const compiler = { identity: kernel.compiler, cache: join(kernel.cache, "objects") };
    const differ = new Set<string>();
    for (const object of objects) {
      stage.note(object);
      const command = kernel.commands.of(object);
      const [before, after] = await Promise.all([
        compileKept(task, command, variant, kernel.original, compiler),
        compile(task, command, variant, view),
      ]);
      for (const note of checkLayouts(readElf(before.bytes, object), readElf(after.bytes, object), accepted)) differ.add(note);
    }
    stage.result(differ.size === 0 ? "all structures lie as before" : [...differ].join("; "));
  });
}

/** Compiles and proves: while a compiler runs, what is compiled already is held against the kernel. */
async function compileAll(
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
    const counted = ({ bytes, ms }: { bytes: Uint8Array; ms: number }): Uint8Array => {
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
function checkProofs(task: Task, compiled: readonly Compiled[], unproven: boolean): void {
  for (const { proof } of compiled.filter((object) => !object.proof.complete)) {
    const refusal = refuseUnproven(proof);
    if (!unproven) throw refusal;
    task.reporter.warn(`${proof.object} is NOT PROVEN to be what the kernel runs: ${refusal.message}`);
  }
}

async function compareAll(
  task: Task,
  kernel: KernelContext,
  compiled: readonly Compiled[],
  options: { asked: ReadonlyMap<string, Asked>; overlay: Overlay; variant: Variant; accepted: ReadonlySet<string>; from: string },
): Promise<Compared[]> {
  const { asked, overlay, variant, accepted, from } = options;
  return task.stage("diff", async (stage) => {
    const parts: Compared[] = [];
    for (const object of compiled) {
      const { command, proof } = object;
      stage.note(command.object);
      const wanted = asked.get(command.object) ?? new Set();
      const { delta, through } = await compare(task, kernel, object, { overlay, variant, accepted, force: forceOf(wanted, proof) });
      const notTaken = leftOut(command.object, wanted, proof, delta);
      if (delta.object === undefined && [delta.skipped, delta.exposed, notTaken].every((list) => list.length === 0)) continue;
      if (command.owner !== "vmlinux")
        await kernel.openExporters(
          task,
          delta.externals.map(({ symbol }) => symbol.name),
        );
      const owner = kernel.owner(command.owner);
      parts.push({ object: command.object, owner, delta, locate: through(locator(proof, owner)), notTaken });
    }
    const functions = parts.flatMap(({ delta }) => delta.functions.map(({ name }) => name));
    for (const { delta } of parts) delta.notes.push(...handedNotes(delta.handed));
    for (const { object, delta } of parts) for (const note of delta.notes) task.reporter.warn(`${object}: ${note}`);
    if (functions.length === 0 && parts.every(({ delta }) => delta.callbacks.length === 0)) {
      const notTaken = parts.flatMap((part) => part.notTaken);
      if (notTaken.length > 0)
        throw fail("BUILD_REBUILD", `nothing can be replaced: ${notTaken.map(({ name, why }) => `${name} ${why}`).join("; ")}`, {
          file: from,
        });
      const skipped = parts.flatMap(({ delta }) => delta.skipped);
      if (skipped.length > 0)
        throw fail("BUILD_NOT_AT_RUN_TIME", skipped.map(({ name, why }) => `${name} ${why}`).join("; "), { file: from });
      throw fail("BUILD_NOTHING_CHANGED", `${compiled.map(({ command }) => command.object).join(", ")}: the code is the same`, {
        file: from,
      });
    }
    const callbacks = parts.reduce((sum, { delta }) => sum + delta.callbacks.length, 0);
    const changed = functions.length === 0 ? "0 changed" : `${functions.length} changed: ${functions.join(", ")}`.slice(0, 200);
    stage.result(callbacks === 0 ? changed : `${changed}; ${callbacks} callbacks`);
    return parts;
  });
}

/** @returns `through`: how symbols of the original that was compared are located by those of the one that is proven */
async function compare(
  task: Task,
  kernel: KernelContext,
  { command, original, patched, proof }: Compiled,
  {
    overlay,
    variant,
    accepted,
    force,
  }: { overlay: Overlay; variant: Variant; accepted: ReadonlySet<string>; force: (name: string) => boolean },
): Promise<{ delta: Delta; through: (locate: Locate) => Locate }> {
  const before = original.elf;
  const after = readElf(patched, command.object);
  const options = { ...diffOptions(kernel, command), force, reach: reachOf(proof) };
  const differ = checkLayouts(before, after, accepted);
  const compared = (one: ElfObject, other: ElfObject): Delta => {
    const delta = diff(one, other, options);
    delta.notes.push(...differ);
    return delta;
  };
  const codes = new Set<string>();
  let without: Delta | undefined;
  try {
    const delta = compared(before, after);
    without = delta;
    // Of functions that are replaced by themselves those that cannot be are left out.
    for (const { code } of delta.notTaken) if (wantsRoom(code)) codes.add(code);
    if (codes.size === 0) return { delta, through: (locate) => locate };
  } catch (error) {
    if (!(error instanceof SutureError) || !wantsRoom(error.code)) throw error;
    codes.add(error.code);
  }
  let wide: Wide | undefined;
  try {
    wide = await compileWide(task, kernel, command, codes, overlay, before, variant);
  } catch (error) {
    if (!(error instanceof SutureError) || error.code !== "BUILD_WIDE" || without === undefined) throw error;
  }
  if (wide === undefined) return { delta: without ?? compared(before, after), through: (locate) => locate };
  const delta = compared(wide.original, wide.patched);
  delta.notes.push(...wide.notes);
  return { delta, through: wide.locateBy };
}

async function manifestOf(
  kernel: KernelContext,
  options: BuildOptions,
  name: string,
  results: Results & { combined: Combined; authored: Authored | undefined; states: State[] },
): Promise<DraftManifest> {
  const { parts, combined, compiled, authored, states } = results;
  const { sources = [], upon } = options;
  const handed = parts.flatMap(({ object, delta }) => delta.handed.map((one) => ({ object, ...one })));
  const named = (authored?.originals ?? []).filter(({ command }) => !compiled.some((other) => other.command.object === command.object));
  const proofs = [...compiled, ...named].map(({ proof }) => proof);
  const symbols = [...combined.symbols, ...(authored?.references ?? [])].sort((a, b) => (a.symbol < b.symbol ? -1 : 1));
  const shadows = authored?.shadows ?? [];
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
    objects: [
      ...compiled.map(({ command, original, patched }) => ({
        path: command.object,
        owner: command.owner,
        original: sha256(original.bytes),
        patched: sha256(patched),
      })),
      ...named.map(({ command, bytes }) => ({
        path: command.object,
        owner: command.owner,
        original: sha256(bytes),
        patched: authored?.sha256 ?? "",
      })),
    ],
    functions: combined.functions,
    ...modulesOf(kernel, combined),
    ...(combined.callbacks.length === 0 ? {} : { callbacks: combined.callbacks }),
    ...(states.length === 0 ? {} : { states }),
    ...(shadows.length === 0 ? {} : { shadows }),
    added: parts.flatMap(({ object, delta }) => delta.added.map((added) => ({ object, ...added }))),
    skipped: parts.flatMap(({ object, delta }) => delta.skipped.map((skipped) => ({ object, ...skipped }))),
    ...(options.rebuild === undefined
      ? {}
      : { notTaken: parts.flatMap(({ object, notTaken }) => notTaken.map((left) => ({ object, ...left }))) }),
    notes: [...parts.flatMap(({ object, delta }) => delta.notes.map((text) => ({ object, text }))), ...(authored?.notes ?? [])],
    ...(handed.length === 0 ? {} : { handed }),
    symbols: symbols.filter(({ symbol }, i) => symbols[i - 1]?.symbol !== symbol),
    compiler: kernel.compiler,
    inputs: [
      ...options.patches.map((patch) => ({ kind: "patch" as const, name: patch.name, sha256: sha256(patch.bytes) })),
      ...sources.map((source) => ({ kind: "source" as const, name: source.name, sha256: sha256(source.bytes) })),
      ...(upon === undefined ? [] : [{ kind: "livepatch" as const, name: upon.file, sha256: upon.sha256 }]),
      ...kernel.target.inputs,
      { kind: "image" as const, name: basename(kernel.target.image), sha256: kernel.image.sha256 },
      { kind: "config" as const, name: ".config", sha256: sha256(await readFile(kernel.target.config)) },
    ],
    fixes: options.patches.map(({ subject, cves }) => ({ ...(subject === undefined ? {} : { subject }), cves })),
    made: madeOf(options),
  };
}

function modulesOf(kernel: KernelContext, { functions }: Combined): Pick<DraftManifest, "modules"> {
  const names = [...new Set(functions.map(({ owner }) => owner))].filter((owner) => owner !== "vmlinux").sort();
  return names.length === 0 ? {} : { modules: names.map((name) => kernel.moduleIdentity(name)) };
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
