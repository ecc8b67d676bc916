/** The pipeline: source patches in, a livepatch module out. */
import { availableParallelism } from "node:os";
import { authoredParts, buildOwnModule, enablesItself } from "@suture/authored";
import { type Ahead, compilingAhead, type KernelContext } from "@suture/kbuild";
import { combine, moduleName } from "@suture/livepatch";
import type { Task } from "@suture/task";
import { fail } from "./errors.ts";
import { carryHoles, holeNotes, holesByType } from "./hole/carry.ts";
import { finishLivepatch, type Livepatch, linkLivepatch } from "./link/livepatch.ts";
import { partsOfMeans, statesOf } from "./link/means.ts";
import { manifestOf, type Results } from "./manifest.ts";
import { patchName } from "./name.ts";
import type { BuildOptions } from "./options.ts";
import { applyPatches, type PatchNote } from "./patch/apply.ts";
import { checkMacros } from "./patch/macros.ts";
import { overlayOf } from "./patch/overlay.ts";
import { mayChangeTypes } from "./patch/scope.ts";
import { levelKept, withPredecessor } from "./predecessor.ts";
import { type Affected, affectedObjects } from "./reach/affected.ts";
import { isNoCode } from "./reach/no-code.ts";
import { checkLeans, checkShown, holdAdded } from "./run/live.ts";
import { PatchRun } from "./run/patch-run.ts";
import { askedObjects } from "./run/rebuild.ts";
import { checkProbes } from "./run/redirects.ts";
import { checkTypesEarly } from "./run/types-early.ts";
import { carryMembers } from "./shadow/carry.ts";

/** @throws every refusal of the pipeline's packages: PATCH_*, AUTHORED_*, BUILD_*, DIFF_*, KLP_*, KERNEL_*, ELF_* */
export async function buildLivepatch(task: Task, kernel: KernelContext, given: BuildOptions): Promise<Livepatch> {
  const [own] = (given.sources ?? []).filter(enablesItself);
  if (own !== undefined) {
    checkAlone(given, own.name);
    const { linked, file, draft } = await buildOwnModule(task, kernel, own, given.unproven);
    return finishLivepatch(task, kernel, linked, file, draft);
  }
  const name = patchName(given.name, [...given.patches, ...(given.sources ?? [])], given.rebuild ?? []);
  const options = withPredecessor(given, kernel);
  return compilingAhead(task, kernel, moduleName(`livepatch-${name}`), (ahead) => buildNamed(task, kernel, { options, name, ahead }));
}

async function buildNamed(
  task: Task,
  kernel: KernelContext,
  { options, name, ahead }: { options: BuildOptions; name: string; ahead: Ahead },
): Promise<Livepatch> {
  const { patches, rebuild = [], sources = [] } = options;
  const from = [...patches.map((patch) => patch.name), ...rebuild].join(", ");
  const compared = patches.length + rebuild.length === 0 ? NOTHING : await comparePatches(task, kernel, options, from);
  const authored =
    sources.length === 0
      ? undefined
      : await authoredParts(task, kernel, sources, { module: moduleName(`livepatch-${name}`), unproven: options.unproven });
  for (const { object, text } of authored?.notes ?? []) task.reporter.warn(`${object}: ${text}`);
  return task.stage("link", async (stage) => {
    const { members, holes } = compared;
    const own = [...members, ...holes].map(({ state }) => ({ id: state, version: 1 }));
    const states = statesOf([...(options.states ?? []), ...(authored?.states ?? []), ...own], compared.parts);
    const means = { compared: compared.parts, members: members.map(({ state }) => state), others: authored?.parts ?? [] };
    const parts = [...(await partsOfMeans(task, kernel, means, name)), ...compared.parts, ...(authored?.parts ?? [])];
    holdAdded(compared.parts, parts);
    checkLeans(compared.parts, parts);
    checkShown(compared.parts);
    stage.note("joining what changed");
    const combined = combine(parts, { name, replace: options.replace, states, symbolSources: kernel.symbolSources, btf: kernel.btf });
    const draft = await manifestOf(kernel, options, name, { ...compared, combined, authored, states });
    const level = levelKept(options.predecessor, draft);
    if (level === undefined)
      task.reporter.warn(
        `${options.predecessor?.file} replaces functions that this one does not: it is not said to have the release's level`,
      );
    stage.note("ld, modpost, and a look at every relocation");
    const livepatch = await linkLivepatch(task, kernel, combined.object, { ...draft, ...level }, ahead);
    stage.result(`${livepatch.file}, ${livepatch.bytes.length} bytes`);
    return livepatch;
  });
}

const NOTHING: Results = { parts: [], objects: [], notes: [], members: [], membersSource: "", holes: [] };

/** A module that registers itself is built as it is. @throws AUTHORED_SOURCE */
function checkAlone({ patches, sources = [], rebuild = [], name, replace, predecessor, states = [] }: BuildOptions, file: string): void {
  const other = [
    ...(patches.length + sources.length + rebuild.length > 1 ? ["other sources or patches"] : []),
    ...(name === undefined ? [] : ["--name"]),
    ...(replace ? ["--replace"] : []),
    ...(predecessor === undefined ? [] : ["--upon"]),
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

async function comparePatches(task: Task, kernel: KernelContext, options: BuildOptions, from: string): Promise<Results> {
  const jobs = options.jobs ?? availableParallelism();
  const { patches, rebuild = [] } = options;
  const asked = await askedObjects(task, kernel, rebuild);
  const noCode = isNoCode(kernel.outside === undefined ? "kernel" : "module");
  const tell = (told: readonly PatchNote[]): void => {
    for (const { object, text } of told) task.reporter.warn(`${object}: ${text}`);
  };
  const applied = await task.stage("apply", (stage) => applyPatches(kernel.sourceRoot, patches, noCode, stage));
  const shadows = new Set(options.plain === true ? [] : options.shadows);
  const carried =
    shadows.size === 0
      ? { files: applied.files, members: [], source: "", notes: [] }
      : await carryMembers(task, kernel, applied.files, shadows);
  const { files, members, source: membersSource } = carried;
  const holes = await carryHoles(task, kernel, files, new Set(options.plain === true ? [] : options.holes));
  const notes = [...applied.notes, ...carried.notes, ...holeNotes(holes)];
  tell(notes);
  const redirects = new Set(options.plain === true ? [] : options.redirects);
  checkProbes(kernel, redirects);
  // What a function takes and returns is no type that lives, but old code goes on calling one that a probe redirects.
  const variant = redirects.size > 0 || files.some(({ path, before, after }) => mayChangeTypes(path, before, after)) ? "types" : "sections";
  const overlay = overlayOf(files);
  const view = await kernel.changed(task, overlay);
  try {
    const accepted = new Set(options.acceptLayouts);
    const stackTypes = options.plain !== true;
    const inHoles = holesByType(holes);
    const otherwise = await checkTypesEarly(task, kernel, files, view, { variant, accepted, holes: inHoles, stackTypes });
    const affected = await affectedObjects(task, kernel, files, view, {
      jobs,
      from,
      layoutsHold: accepted.size + holes.length === 0 && !otherwise,
    });
    tell(affected.notes);
    if (affected.objects.length === 0 && asked.size === 0) throw nothingChanged(affected, from);
    for (const note of checkMacros(files, accepted)) task.reporter.warn(note);
    const { unproven, observe, decided } = options;
    const acceptInits = new Set(options.acceptInits);
    const acceptData = options.plain === true ? undefined : new Set(options.acceptData);
    const run = new PatchRun(task, kernel, {
      view,
      overlay,
      variant,
      asked,
      acceptLayouts: accepted,
      acceptInits,
      acceptData,
      redirects,
      holes: inHoles,
      // Only then all objects that can know such a structure are looked at.
      stackTypes: otherwise,
      unproven,
      from,
      jobs,
      observe,
      decided,
    });
    return { ...(await run.run(affected.objects)), notes: [...notes, ...affected.notes], members, membersSource, holes };
  } finally {
    await view.dispose();
  }
}

function nothingChanged(affected: Affected, from: string) {
  const why =
    affected.ignored.length > 0 && affected.same === 0
      ? `it changes only ${affected.ignored.join(", ")}, of which no kernel is made`
      : affected.same === 0
        ? "nothing that is made of what it changes comes out otherwise"
        : `the ${affected.same} objects that it may affect are the same after preprocessing`;
  return fail("BUILD_NOTHING_CHANGED", why, { file: from });
}
