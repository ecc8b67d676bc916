/** From changed files to the objects that have to be compiled again. */
import { join } from "node:path";
import type { Commands, KernelContext, ObjectCommand, SourceView } from "@suture/kbuild";
import { type IncludeGraph, includesOf, PreprocessedTree } from "@suture/kbuild";
import type { Target } from "@suture/sources";
import type { Stage, Task } from "@suture/task";
import { inParallel } from "@suture/task";
import { fail } from "../errors.ts";
import type { ChangedFile, PatchNote } from "../patch/apply.ts";
import { NamesReach } from "./names/reach.ts";
import { isNoCode } from "./no-code.ts";
import { withoutOtherPrograms } from "./other-programs.ts";
import { otherReaders } from "./readers.ts";

export interface Affected {
  objects: ObjectCommand[];
  /** Files of the patch that no kernel is made of. */
  ignored: string[];
  /** Objects that a header reaches but does not change. */
  same: number;
  /** What of the patch stays as it is. */
  notes: PatchNote[];
}

export interface AffectedOptions {
  jobs: number;
  /** The patch files, for errors. */
  from: string;
  /** As of `canDiffer`. */
  layoutsHold: boolean;
}

/** From here on it is worth a word, and the index of all names: each takes seconds. */
const MANY = 100;

/** @throws PATCH_NOT_C, PATCH_NOT_FOR_KERNEL, BUILD_SEVERAL_OWNERS, BUILD_OTHER_PROGRAM, BUILD_VIEW */
export async function affectedObjects(
  task: Task,
  kernel: KernelContext,
  files: readonly ChangedFile[],
  view: SourceView,
  options: AffectedOptions,
): Promise<Affected> {
  const { target, commands, cache } = kernel;
  const changed = new Map(files.filter(({ path }) => /\.(?:[chS]|inc)$/.test(path)).map(({ path, after }) => [path, after]));
  const graph = kernel.outside === undefined ? await includesOf(task, target, join(cache, "kbuild"), changed) : undefined;
  const read = await otherReaders(task, kernel, files, view, { graph, ...options });
  const noCode = isNoCode(kernel.outside === undefined ? "kernel" : "module");
  const ignored = files.filter(({ path }) => noCode(path) || (read.has(path) && !/\.([ch]|inc)$/.test(path))).map(({ path }) => path);
  const code = files.filter(({ path }) => !ignored.includes(path));
  for (const { path } of code) if (!/\.([ch]|inc)$/.test(path)) throw fail("PATCH_NOT_C", `it changes ${path}`, { file: options.from });
  const { direct, through, throughHeaders } = await task.stage("reach", async (stage) => {
    const found = await objectsReached(task, kernel, code, { graph, read, from: options.from, stage });
    stage.result(`${found.direct.size} objects of changed files, ${found.through.size} that may include one`);
    return found;
  });
  const candidates = [...through].filter((object) => !direct.has(object)).map((object) => commands.of(object));
  const named =
    graph === undefined || candidates.length <= MANY ? candidates : await naming(task, kernel, { candidates, files: code, graph }, options);
  const different = await differing(task, kernel, named, view, options);
  const reached = [...[...direct].map((object) => commands.of(object)), ...different].sort((a, b) => (a.object < b.object ? -1 : 1));
  const { objects, notes } = await withoutOtherPrograms(task, kernel, reached, throughHeaders, view);
  if (different.length > MANY) task.reporter.warn(`${objects.length} objects have to be compiled`);
  const left = ignored.map((path) => ({ object: path, text: "left out: nothing that a livepatch could change is made of it" }));
  return { objects, ignored, same: candidates.length - different.length, notes: [...left, ...notes] };
}

/** All that may read a file, directly or by way of others. */
export async function objectsReading(
  task: Task,
  { target, commands, cache, outside }: KernelContext,
  files: readonly ChangedFile[],
  path: string,
): Promise<ObjectCommand[]> {
  const changed = new Map(files.filter((file) => /\.[ch]$/.test(file.path)).map((file) => [file.path, file.after]));
  const graph = outside === undefined ? await includesOf(task, target, join(cache, "kbuild"), changed) : undefined;
  const sources = graph === undefined ? commands.sources : reachedSources(graph, commands, path);
  const objects = new Set([path, ...sources].flatMap((source) => commands.ofSource(source)));
  return [...objects].sort().map((object) => commands.of(object));
}

function notForKernel({ path, before }: ChangedFile, { release, arch }: Target, from: string) {
  const where = { file: from };
  if (path.startsWith(`${arch.kbuild.boot}/`))
    return fail(
      "BUILD_OTHER_PROGRAM",
      `${path} is compiled into the code that starts the kernel, which is over when the kernel runs`,
      where,
    );
  if (before !== undefined) return fail("PATCH_NOT_FOR_KERNEL", `${release} is not built from ${path}`, where);
  const mend = path.endsWith(".c")
    ? "Put its functions into a file that the kernel is built from: nothing in its build links a new C file."
    : "Leave it out of the patch, or include it where it is needed.";
  return fail("PATCH_NOT_FOR_KERNEL", `it adds ${path}, and nothing that ${release} is built from includes it`, where, { mend });
}

/** @throws PATCH_NOT_FOR_KERNEL */
async function objectsReached(
  task: Task,
  kernel: KernelContext,
  code: readonly ChangedFile[],
  { graph, read, from, stage }: { graph: IncludeGraph | undefined; read: ReadonlySet<string>; from: string; stage: Stage },
): Promise<{ direct: Set<string>; through: Set<string>; throughHeaders: Set<string> }> {
  const { commands } = kernel;
  const throughHeaders = new Set<string>();
  const direct = new Set<string>();
  const through = new Set<string>();
  for (const [done, file] of code.entries()) {
    const { path } = file;
    stage.note(path);
    stage.progress(done, code.length, "files");
    await task.pause();
    const own = path.endsWith(".c") ? commands.ofSource(path) : [];
    // Of modules outside of the tree there are few objects: each is looked at.
    const sources = graph === undefined ? commands.sources : reachedSources(graph, commands, path);
    const reached = sources.flatMap((source) => commands.ofSource(source));
    if (own.length === 0 && reached.length === 0 && !read.has(path)) throw notForKernel(file, kernel.target, from);
    for (const object of own) direct.add(object);
    for (const object of reached) {
      through.add(object);
      // A new header is none on which anything agrees yet.
      if (!path.endsWith(".c") && file.before !== undefined) throughHeaders.add(object);
    }
  }
  return { direct, through, throughHeaders };
}

function reachedSources(graph: IncludeGraph, commands: Commands, path: string): string[] {
  const found = new Set<string>();
  for (const { folders, sources } of commands.byIncludeFolders())
    for (const file of graph.reach([path], folders)) if (file !== path && sources.has(file)) found.add(file);
  return [...found];
}

/** Those that name what changed headers declare otherwise, or what is declared by way of it. */
async function naming(
  task: Task,
  kernel: KernelContext,
  { candidates, files, graph }: { candidates: readonly ObjectCommand[]; files: readonly ChangedFile[]; graph: IncludeGraph },
  { layoutsHold }: AffectedOptions,
): Promise<readonly ObjectCommand[]> {
  return task.stage("names", async (stage) => {
    const names = await NamesReach.open(task, kernel, graph, stage);
    const sources = new Set(candidates.map(({ source }) => source));
    const reached = new Set(await names.reached(task, files, sources, layoutsHold));
    const named = candidates.filter(({ source }) => reached.has(source));
    stage.result(`${named.length} of ${candidates.length} objects name what the headers change`);
    return named;
  });
}

/** Those that differ after preprocessing, in more than declarations that they do not use. */
async function differing(
  task: Task,
  kernel: KernelContext,
  candidates: readonly ObjectCommand[],
  view: SourceView,
  { jobs, layoutsHold }: AffectedOptions,
): Promise<ObjectCommand[]> {
  if (candidates.length === 0) return [];
  return task.stage("preprocess", async (stage) => {
    const known = await PreprocessedTree.open(kernel.target, kernel.original, join(kernel.cache, "kbuild"));
    let done = 0;
    const differs = await inParallel(candidates, jobs, async (command) => {
      stage.note(command.object);
      const differs = await known.differs(task, command, view, layoutsHold);
      stage.progress(++done, candidates.length, "objects");
      return differs;
    }).finally(() => known.keep(task));
    const different = candidates.filter((_, i) => differs[i]);
    stage.result(`${different.length} of ${candidates.length} objects differ`);
    return different;
  });
}
