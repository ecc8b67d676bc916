/**
 * The hunt for wrong modules: edits of the kernel's own source at random places, each of a kind that says what is right for it. Each is built,
 * and what comes out is held against that. docs/qualification.md has the kinds. What is done already is not done again.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readElf } from "@suture/elf";
import { SutureError } from "@suture/errors";
import type { KernelContext } from "@suture/kbuild";
import { compileOriginal } from "@suture/pipeline";
import type { Task } from "@suture/task";
import { createTwoFilesPatch } from "diff";
import { WorkloadGuests } from "../guest/workload-guests.ts";
import { COMMON } from "../options.ts";
import { newestCloud, type Run, type RunContext } from "../run.ts";
import { readC } from "./c-file.ts";
import type { Edit, Kind, Tree } from "./edit.ts";
import { factsOf } from "./facts.ts";
import { filesOf } from "./files.ts";
import { hopedFacts } from "./hoped-facts.ts";
import { judge, sourceText } from "./judge.ts";
import { KINDS } from "./kinds.ts";
import { Random } from "./random.ts";
import { type EditResult, keptOf, resultOf } from "./results.ts";
import { isEdit, summarise } from "./summary.ts";
import { treeOf } from "./tree.ts";

interface Planned {
  id: string;
  kind: Kind;
  edit: Edit;
  objects: string[];
}

export const edits: Run = {
  name: "edits",
  what: "edits of the kernel's source whose right outcome is known, built and checked",
  words: {
    kernel: COMMON.kernel,
    seed: COMMON.seed,
    limit: { ...COMMON.limit, what: "so many edits that count", is: "1000", short: "10" },
    files: { value: "N", what: "of so many files at least", is: "200", short: "3" },
    each: { value: "N", what: "so many of a file at most", is: "6" },
    kinds: { value: "NAME,...", what: "kinds or families" },
    // Large files take long to compile.
    largest: { value: "N", what: "bytes that a source has at most", is: "28000" },
    jobs: { value: "N", what: "so many at a time", is: "2" },
    redo: { what: "nothing but what --again names" },
    try: { value: "N", what: "one module of so many is loaded", is: "20" },
    "no-try": { what: "none is loaded" },
  },
  kernel: newestCloud,
  run: perform,
};

async function perform(context: RunContext): Promise<void> {
  const { task, cache, folder, options, kept, release } = context;
  const seed = options.number("seed");
  const patches = join(folder, "patches");
  mkdirSync(patches, { recursive: true });
  const words = options.text("kinds")?.split(",");
  const kinds = KINDS.filter(({ name, family }) => words === undefined || words.includes(name) || words.includes(family));
  const kernel = await context.kernel();
  // Of several runs with one folder all results count.
  const all = (): EditResult[] => kept.all.map(resultOf);
  for (const { name } of kept.all) context.names.add(name);
  const guests = new WorkloadGuests(task, kernel.target, { cache, folder, cpus: 1 });
  const tree = treeOf(kernel);
  const counts = new Map<string, number>();
  const redo = options.flag("redo") ? kept.again.map(resultOf) : undefined;
  const ids = new Set(redo?.map(({ id }) => id));
  const paths = new Set(redo?.map(({ path }) => path));
  try {
    for (const file of filesOf(kernel, { seed, largest: options.number("largest") })) {
      const done = all().filter(isEdit);
      if (redo !== undefined) {
        if (!paths.has(file.path)) continue;
      } else if (done.length >= options.number("limit") && new Set(done.map(({ path }) => path)).size >= options.number("files")) break;
      if (!context.isWanted(file.path)) continue;
      const planned = await plan(task, kernel, file, { kinds, counts, seed, tree, each: options.number("each"), ids });
      await inTurns(planned, options.number("jobs"), async (one) => {
        if (kept.get(one.id) !== undefined) return;
        const started = performance.now();
        const patch = join(patches, `${one.id}.patch`);
        writeFileSync(patch, patchOf(one.edit), "latin1");
        const { module, ...judged } = await judge(task, kernel, { ...one, patch });
        const { kind, edit, id } = one;
        const result: EditResult = {
          id,
          kind: kind.name,
          family: kind.family,
          verdict: kind.verdict,
          path: file.path,
          what: edit.what,
          ...judged,
          ms: 0,
        };
        const tries = kind.tame && !options.flag("no-try") && Random.of(id, seed).below(options.number("try")) === 0;
        if (judged.class === "right-built" && module !== undefined && tries) await tryIt(result, module, kind);
        result.ms = Math.round(performance.now() - started);
        const stays =
          ["wrong-module", "false-refusal", "wrong-refusal", "crash"].includes(result.class) || (result.tried ?? "passed") !== "passed";
        if (!stays) rmSync(patch);
        context.add(keptOf(result));
      });
    }
  } finally {
    await guests.stop();
    context.more = { ...summarise(release, all()) };
  }

  async function tryIt(result: EditResult, module: Uint8Array, { stays = false }: Kind): Promise<void> {
    const path = join(folder, `${result.id}.ko`);
    writeFileSync(path, module);
    // One guest: one trial after the other.
    trials = trials.then(async () => {
      const { outcome, why } = await guests.load([path], { stays });
      result.tried = outcome;
      if (why !== undefined) result.triedWhy = why.slice(0, 500);
      rmSync(path);
    });
    await trials;
  }
}

let trials: Promise<void> = Promise.resolve();

interface Plan {
  kinds: readonly Kind[];
  /** How many edits of each kind there are so far. */
  counts: Map<string, number>;
  seed: number;
  tree: Tree;
  each: number;
  /** Only these, if there are some. */
  ids: ReadonlySet<string>;
}

/** Some edits of one file: of the kinds of which there are fewest, each at a place that the seed chooses. */
async function plan(
  task: Task,
  kernel: KernelContext,
  { path, object, owner }: { path: string; object: string; owner: string },
  { kinds, counts, seed, tree, each, ids }: Plan,
): Promise<Planned[]> {
  const text = sourceText(join(kernel.sourceRoot, path));
  if (text === undefined) return [];
  const file = readC(text);
  const random = (kind: Kind): Random => Random.of(`${path} ${kind.name}`, seed);
  const hoped = { path, object, owner, file, facts: hopedFacts(file, path), tree };
  // Kinds that are rare have no place in most files: those are not compiled.
  if (kinds.every((kind) => kind.make({ ...hoped, random: random(kind) }) === undefined)) return [];
  const original = await compileOriginal(task, kernel, object).catch((error: unknown) => {
    task.check();
    // Some of the sources in the list are made by the build.
    if (error instanceof SutureError && error.code === "BUILD_COMPILE") return undefined;
    throw error;
  });
  if (original === undefined) return [];
  const subject = { ...hoped, facts: factsOf(readElf(original, object)) };
  const found = kinds.flatMap((kind): Planned[] => {
    const edit = kind.make({ ...subject, random: random(kind) });
    if (edit === undefined || edit.files.every(({ before, after }) => before === after)) return [];
    return [
      {
        id: `${path.replace(/\.c$/, "").replaceAll("/", "-")}.${kind.name}.${seed}`,
        kind,
        edit,
        objects: objectsOf(kernel, tree, path, edit),
      },
    ];
  });
  if (ids.size > 0) return found.filter(({ id }) => ids.has(id));
  const order = Random.of(path, seed);
  const fewest = order.shuffled(found).sort((a, b) => (counts.get(a.kind.name) ?? 0) - (counts.get(b.kind.name) ?? 0));
  const chosen = fewest.slice(0, each);
  for (const { kind } of chosen) counts.set(kind.name, (counts.get(kind.name) ?? 0) + 1);
  return chosen;
}

function objectsOf({ commands }: KernelContext, tree: Tree, path: string, edit: Edit): string[] {
  const sources = edit.files.flatMap((file) =>
    file.path.endsWith(".c") ? [file.path] : (tree.localHeaders(path).find((header) => header.path === file.path)?.users ?? []),
  );
  return [...new Set(sources.flatMap((source) => commands.ofSource(source)))].filter((object) => commands.ownerOf(object) !== undefined);
}

function patchOf({ files }: Edit): string {
  return files.map(({ path, before, after }) => createTwoFilesPatch(`a/${path}`, `b/${path}`, before, after).replace(/^=+\n/, "")).join("");
}

async function inTurns<T>(list: readonly T[], jobs: number, work: (one: T) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: jobs }, async () => {
      for (let at = next++; at < list.length; at = next++) await work(list[at] as T);
    }),
  );
}
