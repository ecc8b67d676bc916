/** From changed files to the objects that have to be compiled again. */
import { join } from "node:path";
import type { Stage, Task } from "@suture/task";
import type { KernelContext } from "./context.ts";
import { fail } from "./errors.ts";
import type { Commands, ObjectCommand } from "./kbuild/commands.ts";
import { type IncludeGraph, includesOf } from "./kbuild/includes.ts";
import { PreprocessedTree } from "./kbuild/preprocess.ts";
import { isNoCode } from "./no-code.ts";
import { withoutOtherPrograms } from "./other-programs.ts";
import type { ChangedFile } from "./patch/apply.ts";
import { inParallel } from "./pool.ts";
import type { SourceView } from "./view.ts";

export interface Affected {
  objects: ObjectCommand[];
  /** Files of the patch that no kernel is made of. */
  ignored: string[];
  /** Objects that a header reaches but does not change. */
  same: number;
}

export interface AffectedOptions {
  jobs: number;
  /** The patch files, for errors. */
  from: string;
}

/** From here on it is worth a word: each takes seconds. */
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
  const noCode = isNoCode(kernel.outside === undefined ? "kernel" : "module");
  const ignored = files.filter(({ path }) => noCode(path)).map(({ path }) => path);
  const code = files.filter(({ path }) => !noCode(path));
  for (const { path } of code) if (!/\.([ch]|inc)$/.test(path)) throw fail("PATCH_NOT_C", `it changes ${path}`, { file: options.from });
  const changed = new Map(code.map(({ path, after }) => [path, after]));
  const graph = kernel.outside === undefined ? await includesOf(task, target, join(cache, "kbuild"), changed) : undefined;
  const { direct, through } = await task.stage("reach", async (stage) => {
    const found = await objectsReached(task, kernel, code, { graph, from: options.from, stage });
    stage.result(`${found.direct.size} objects of changed files, ${found.through.size} that may include one`);
    return found;
  });
  const candidates = [...through].filter((object) => !direct.has(object)).map((object) => commands.of(object));
  if (candidates.length > MANY)
    task.reporter.warn(
      `the patch changes headers that ${candidates.length} objects may include: each is preprocessed twice, and compiled if it differs`,
    );
  const different = await differing(task, kernel, candidates, view, options.jobs);
  const reached = [...[...direct].map((object) => commands.of(object)), ...different].sort((a, b) => (a.object < b.object ? -1 : 1));
  const objects = await withoutOtherPrograms(task, kernel, reached, view);
  if (different.length > MANY) task.reporter.warn(`${objects.length} objects have to be compiled`);
  return { objects, ignored, same: candidates.length - different.length };
}

/** @throws PATCH_NOT_FOR_KERNEL */
async function objectsReached(
  task: Task,
  kernel: KernelContext,
  code: readonly ChangedFile[],
  { graph, from, stage }: { graph: IncludeGraph | undefined; from: string; stage: Stage },
): Promise<{ direct: Set<string>; through: Set<string> }> {
  const { commands } = kernel;
  const direct = new Set<string>();
  const through = new Set<string>();
  for (const [done, { path }] of code.entries()) {
    stage.note(path);
    stage.progress(done, code.length, "files");
    await task.pause();
    const own = path.endsWith(".c") ? commands.ofSource(path) : [];
    // Of modules outside of the tree there are few objects: each is looked at.
    const sources = graph === undefined ? commands.sources : reachedSources(graph, commands, path);
    const reached = sources.flatMap((source) => commands.ofSource(source));
    if (own.length === 0 && reached.length === 0)
      throw fail("PATCH_NOT_FOR_KERNEL", `${kernel.target.release} is not built from ${path}`, { file: from });
    for (const object of own) direct.add(object);
    for (const object of reached) through.add(object);
  }
  return { direct, through };
}

function reachedSources(graph: IncludeGraph, commands: Commands, path: string): string[] {
  const found = new Set<string>();
  for (const { folders, sources } of commands.byIncludeFolders())
    for (const file of graph.reach([path], folders)) if (file !== path && sources.has(file)) found.add(file);
  return [...found];
}

/** Those that differ after preprocessing, in more than declarations that they do not use. */
async function differing(
  task: Task,
  kernel: KernelContext,
  candidates: readonly ObjectCommand[],
  view: SourceView,
  jobs: number,
): Promise<ObjectCommand[]> {
  if (candidates.length === 0) return [];
  return task.stage("preprocess", async (stage) => {
    const known = await PreprocessedTree.open(kernel.target, kernel.original, join(kernel.cache, "kbuild"));
    let done = 0;
    const differs = await inParallel(candidates, jobs, async (command) => {
      stage.note(command.object);
      const differs = await known.differs(task, command, view);
      stage.progress(++done, candidates.length, "objects");
      return differs;
    }).finally(() => known.keep(task));
    const different = candidates.filter((_, i) => differs[i]);
    stage.result(`${different.length} of ${candidates.length} objects differ`);
    return different;
  });
}
