/** From changed files to the objects that have to be compiled again. */
import { join } from "node:path";
import { run, type Task } from "@suture/task";
import type { KernelContext } from "./context.ts";
import { fail } from "./errors.ts";
import type { ObjectCommand } from "./kbuild/commands.ts";
import { includesOf } from "./kbuild/includes.ts";
import type { ChangedFile } from "./patch/apply.ts";
import { inParallel } from "./pool.ts";
import type { Target } from "./target.ts";
import { SourceView } from "./view.ts";

export interface Affected {
  objects: ObjectCommand[];
  /** Files of the patch that no kernel is made of. */
  ignored: string[];
  /** Objects that were reached by a header but are the same after preprocessing. */
  same: number;
}

export interface AffectedOptions {
  jobs: number;
  /** The patch files, for errors. */
  from: string;
}

/** Folders and files that say something about the kernel, but are not in it. */
const NO_CODE =
  /^(Documentation|tools|samples|LICENSES|usr)\/|^(MAINTAINERS|CREDITS|README|COPYING)$|\.(rst|txt|yaml)$|(^|\/)\.(gitignore|mailmap)$/;

/** From here on it is worth a word: each takes seconds. */
const MANY = 100;

/** @throws PATCH_NOT_C, PATCH_NOT_FOR_KERNEL, BUILD_SEVERAL_OWNERS */
export async function affectedObjects(
  task: Task,
  { target, commands, cache }: KernelContext,
  files: readonly ChangedFile[],
  view: SourceView,
  options: AffectedOptions,
): Promise<Affected> {
  const ignored = files.filter(({ path }) => NO_CODE.test(path)).map(({ path }) => path);
  const code = files.filter(({ path }) => !NO_CODE.test(path));
  for (const { path } of code) if (!/\.([ch]|inc)$/.test(path)) throw fail("PATCH_NOT_C", `it changes ${path}`, { file: options.from });
  const graph = await includesOf(task, target, join(cache, "kbuild"), new Map(code.map(({ path, after }) => [path, after])));
  const direct = new Set<string>();
  const through = new Set<string>();
  for (const { path } of code) {
    const own = path.endsWith(".c") ? commands.ofSource(path) : [];
    const reached = [...graph.reach([path])].filter((file) => file !== path).flatMap((file) => commands.ofSource(file));
    if (own.length === 0 && reached.length === 0)
      throw fail("PATCH_NOT_FOR_KERNEL", `${target.release} is not built from ${path}`, { file: options.from });
    for (const object of own) direct.add(object);
    for (const object of reached) through.add(object);
  }
  const candidates = [...through].filter((object) => !direct.has(object)).map((object) => commands.of(object));
  if (candidates.length > MANY)
    task.reporter.warn(
      `the patch changes headers that ${candidates.length} objects may include: each is preprocessed twice, and compiled if it differs`,
    );
  const different = await differing(task, target, candidates, view, options.jobs);
  const objects = [...[...direct].map((object) => commands.of(object)), ...different].sort((a, b) => (a.object < b.object ? -1 : 1));
  if (different.length > MANY) task.reporter.warn(`${objects.length} objects have to be compiled`);
  return { objects, ignored, same: candidates.length - different.length };
}

/** Those whose text differs after preprocessing. */
async function differing(
  task: Task,
  target: Target,
  candidates: readonly ObjectCommand[],
  view: SourceView,
  jobs: number,
): Promise<ObjectCommand[]> {
  if (candidates.length === 0) return [];
  const original = SourceView.of(target.tree);
  return task.stage("preprocess", async (stage) => {
    let done = 0;
    const differs = await inParallel(candidates, jobs, async (command) => {
      const [before, after] = [await preprocess(task, command, original), await preprocess(task, command, view)];
      stage.progress(++done, candidates.length, "objects");
      return before === undefined || before !== after;
    });
    const different = candidates.filter((_, i) => differs[i]);
    stage.result(`${different.length} of ${candidates.length} objects differ`);
    return different;
  });
}

/** Undefined where the preprocessor fails: the compiler will say why. */
async function preprocess(task: Task, { object, compile, depfile }: ObjectCommand, view: SourceView): Promise<string | undefined> {
  const line = compile.replace(` -Wp,-MMD,${depfile}`, "").replace(` -c -o ${object} `, " -E -P ");
  const { code, stdout } = await run(task, ["sh", "-c", line], { cwd: view.root, accept: [1] });
  return code === 0 ? stdout : undefined;
}
