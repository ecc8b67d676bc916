/**
 * Who besides C reads the files of a fix: what a livepatch leaves as it is. Where one of them would come out otherwise, the fix is refused: the
 * kernel that runs has the old one.
 */
import { readFile } from "node:fs/promises";
import { basename, dirname, join, normalize } from "node:path";
import { exists } from "@suture/files";
import type { Commands, IncludeGraph, KernelContext, ObjectCommand, SourceView } from "@suture/kbuild";
import { foldersOf, makeStep, readStep, type Step } from "@suture/kbuild";
import type { Task } from "@suture/task";
import { inParallel } from "@suture/task";
import { fail } from "../errors.ts";
import type { ChangedFile } from "../patch/apply.ts";
import { withoutComments } from "../patch/scope.ts";

export interface ReadersOptions {
  graph: IncludeGraph | undefined;
  jobs: number;
  /** The patch files, for errors. */
  from: string;
}

/** A reader, and the changed files that it may read. */
interface Reader {
  step: Step;
  files: string[];
}

/**
 * Looks at all that is no C.
 * @returns the changed files that something besides C reads, and that it reads the same as before
 * @throws PATCH_NOT_C
 */
export async function otherReaders(
  task: Task,
  kernel: KernelContext,
  files: readonly ChangedFile[],
  view: SourceView,
  { graph, jobs, from }: ReadersOptions,
): Promise<Set<string>> {
  const { steps } = kernel.commands;
  await refuseScripts(kernel, files, graph, from);
  const made = madeOf(steps, files);
  const preprocessed = [...stepReaders(steps, files, graph), ...(await constantReaders(kernel, files, graph))];
  // The few that a program reads first: assembly may be a lot.
  for (const readers of [made, preprocessed]) {
    const differs = await inParallel(readers, jobs, async ({ step, files: paths }) => {
      // What is no C is there for that program only.
      if (step.kind === "generated file" && !paths.every((path) => /\.[ch]$/.test(path))) return true;
      const read = step.kind === "generated file" ? makeStep : readStep;
      const after = await read(task, step, view);
      return after === undefined || after !== (await read(task, step, kernel.original));
    });
    const [first, ...more] = readers.filter((_, i) => differs[i]);
    if (first !== undefined) throw refusal(first.files.join(", "), first.step, from, more.length);
  }
  return new Set([...made, ...preprocessed].flatMap((reader) => reader.files));
}

/**
 * The same for many files at once: what may read one of them, not which.
 * @param paths of changed files that are there before and after
 */
export async function stepsReading(kernel: KernelContext, paths: readonly string[], graph: IncludeGraph): Promise<Step[]> {
  const files = paths.map((path) => ({ path, before: "", after: "" }));
  const { steps } = kernel.commands;
  const found = new Set(madeOf(steps, files).map(({ step }) => step));
  const byFolders = new Map<string, Set<string>>();
  const reachedBy = (folders: readonly string[]): Set<string> => {
    const key = folders.join(" ");
    const known = byFolders.get(key) ?? graph.reach(paths, new Set(folders));
    byFolders.set(key, known);
    return known;
  };
  for (const step of steps) if (step.source !== "" && reachedBy(foldersOf(step.command)).has(step.source)) found.add(step);
  const constants = await constantSteps(kernel, graph);
  for (const step of constants) if (reachedBy(foldersOf(step.command)).has(step.source)) found.add(step);
  return [...found];
}

/** What a step that is no C makes or reads, to be held against itself in another view; undefined where it cannot be told. */
export function readBy(task: Task, step: Step, view: SourceView): Promise<string | undefined> {
  return step.kind === "generated file" ? makeStep(task, step, view) : readStep(task, step, view);
}

/** Programs and scripts whose commands name a changed file. */
function madeOf(steps: readonly Step[], files: readonly ChangedFile[]): Reader[] {
  return steps.flatMap((step) => {
    const named = files.filter(({ path }) => step.inputs.includes(path)).map(({ path }) => path);
    return named.length === 0 ? [] : [{ step, files: named }];
  });
}

function refusal(path: string, { kind, output, source }: Step, from: string, more = 0) {
  const others = more === 0 ? "" : `, and ${more} more`;
  const why =
    kind === "generated file"
      ? `it changes ${path}, of which a program of the kernel's build makes ${output}${others}`
      : path === source
        ? `it changes ${path} (${kind}), of which ${output} is made${others}`
        : `it changes ${path}, which ${source} (${kind}) includes, and which it reads otherwise then${others}`;
  return fail("PATCH_NOT_C", `${why}: the kernel that runs keeps what was made of the old one`, { file: from });
}

/** Steps whose source is a changed file or includes one. */
function stepReaders(steps: readonly Step[], files: readonly ChangedFile[], graph: IncludeGraph | undefined): Reader[] {
  const readers = new Map<Step, string[]>();
  const groups = new Map<string, Step[]>();
  for (const step of steps) {
    if (step.source === "") continue;
    const folders = foldersOf(step.command).join(" ");
    groups.set(folders, [...(groups.get(folders) ?? []), step]);
  }
  for (const { path } of files)
    for (const [folders, group] of groups) {
      const reached = graph?.reach([path], new Set(folders.split(" ")));
      // Of modules outside of the tree there is little: all of it is looked at.
      for (const step of group)
        if (step.source === path || reached === undefined || reached.has(step.source))
          readers.set(step, [...(readers.get(step) ?? []), path]);
    }
  return [...readers].map(([step, paths]) => ({ step, files: paths }));
}

/** The header by which C files write constants for assembly (DEFINE and OFFSET). */
const CONSTANTS = "include/linux/kbuild.h";

/**
 * Constants that were made before make was asked, when the tree was made ready: include/generated/asm-offsets.h of arch/ARCH/kernel/asm-offsets.c.
 * They are compiled like an object beside them.
 */
async function constantReaders(kernel: KernelContext, files: readonly ChangedFile[], graph: IncludeGraph | undefined): Promise<Reader[]> {
  if (graph === undefined) return [];
  const made: Reader[] = [];
  for (const step of await constantSteps(kernel, graph)) {
    const folders = new Set(foldersOf(step.command));
    const reading = files
      .filter(({ path }) => path === step.source || graph.reach([path], folders).has(step.source))
      .map(({ path }) => path);
    if (reading.length > 0) made.push({ step, files: reading });
  }
  return made;
}

async function constantSteps({ commands, target }: KernelContext, graph: IncludeGraph): Promise<Step[]> {
  const steps: Step[] = [];
  for (const source of graph.reach([CONSTANTS], new Set(["include"]))) {
    if (!source.endsWith(".c") || source.startsWith("scripts/") || commands.ofSource(source).length > 0) continue;
    if (commands.steps.some((step) => step.source === source)) continue;
    const output = `include/generated/${basename(source, ".c")}.h`;
    if (!(await exists(join(target.tree, output)))) continue;
    const like = neighbour(commands, source);
    if (like === undefined) continue;
    const command = `${like.compile.slice(0, like.compile.lastIndexOf(` -c -o ${like.object} `))} -S -o ${output} ${source}`;
    steps.push({ kind: "constants for assembly", output, command, source, inputs: [] });
  }
  return steps;
}

function neighbour(commands: Commands, source: string): ObjectCommand | undefined {
  const folder = dirname(source);
  const found = commands.builtIn.find((object) => dirname(object) === folder);
  return found === undefined ? undefined : commands.of(found);
}

/** Programs below scripts/ run while the kernel is built, and were there before make was asked: how they are compiled is not known. */
async function refuseScripts(
  kernel: KernelContext,
  files: readonly ChangedFile[],
  graph: IncludeGraph | undefined,
  from: string,
): Promise<void> {
  for (const { path, before, after } of files) {
    if (before !== undefined && withoutComments(before) === withoutComments(after)) continue;
    const user = await scriptReading(kernel, path, graph);
    if (user === undefined) continue;
    throw fail("PATCH_NOT_C", `it changes ${path}, which ${user}, a program of the kernel's build, reads: what it makes stays as it is`, {
      file: from,
    });
  }
}

/** The program below scripts/ that includes a file of the kernel's. */
export async function scriptReading(
  { target: { tree } }: KernelContext,
  path: string,
  graph: IncludeGraph | undefined,
): Promise<string | undefined> {
  for (const [user, name] of graph?.usersOf(path) ?? []) {
    if (!user.startsWith("scripts/") || !user.endsWith(".c")) continue;
    const beside = normalize(join(dirname(user), name));
    if (beside !== path && ((await exists(join(tree, beside))) || !path.endsWith(`/${name}`))) continue;
    const text = await readFile(join(tree, user), "latin1");
    // What stands in < > is the building machine's.
    if (text.includes(`"${name}"`)) return user;
  }
  return undefined;
}
