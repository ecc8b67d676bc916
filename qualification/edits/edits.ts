/**
 * The hunt for wrong modules: edits of the kernel's own source at random places, each of a kind that says what is right for it. Each is built,
 * and what comes out is held against that. docs/qualification.md has the kinds. What is done already is not done again.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readElf } from "@suture/elf";
import { SutureError } from "@suture/errors";
import { KernelContext } from "@suture/kbuild";
import { compileOriginal } from "@suture/pipeline";
import { cacheRoot, newestKernel, prepareTarget } from "@suture/sources";
import { Task } from "@suture/task";
import { createTwoFilesPatch } from "diff";
import { Guests } from "../identity/guests.ts";
import { readC } from "./c-file.ts";
import type { Edit, Kind, Tree } from "./edit.ts";
import { factsOf } from "./facts.ts";
import { filesOf } from "./files.ts";
import { hopedFacts } from "./hoped-facts.ts";
import { judge, sourceText } from "./judge.ts";
import { KINDS } from "./kinds.ts";
import { Random } from "./random.ts";
import { type Result, Results } from "./results.ts";
import { isEdit, summarise } from "./summary.ts";
import { treeOf } from "./tree.ts";

interface Planned {
  id: string;
  kind: Kind;
  edit: Edit;
  objects: string[];
}

/** @returns the exit code */
export async function edits(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      kernel: { type: "string" },
      seed: { type: "string", default: "1" },
      // So many edits that count, and so many files at least.
      count: { type: "string", default: "1000" },
      files: { type: "string", default: "200" },
      each: { type: "string", default: "6" },
      kinds: { type: "string" },
      only: { type: "string" },
      // Bytes of source: large files take long to compile.
      largest: { type: "string", default: "28000" },
      jobs: { type: "string", default: "2" },
      again: { type: "string" },
      // Nothing but what --again names.
      redo: { type: "boolean" },
      out: { type: "string" },
      // One of so many modules is loaded.
      try: { type: "string", default: "20" },
      "no-try": { type: "boolean" },
    },
  });
  const controller = new AbortController();
  process.on("SIGINT", () => controller.abort());
  const task = new Task(undefined, controller.signal);
  const cache = cacheRoot(process.env);
  const release = values.kernel ?? (await newestKernel(task, /^6\.1\.\d+-\d+-cloud-amd64$/));
  const seed = Number(values.seed);
  const folder = values.out ?? join(cache, "edits", release);
  const patches = join(folder, "patches");
  mkdirSync(patches, { recursive: true });
  const results = new Results(join(folder, "results.jsonl"), values.again?.split(",") ?? []);
  const words = values.kinds?.split(",");
  const kinds = KINDS.filter(({ name, family }) => words === undefined || words.includes(name) || words.includes(family));
  const target = await prepareTarget(task, release, { cache });
  const kernel = await KernelContext.open(task, target, cache);
  const guests = new Guests(task, target, { cache, folder, cpus: 1 });
  const tree = treeOf(kernel);
  const counts = new Map<string, number>();
  const redo = values.redo === true ? results.again : undefined;
  const ids = new Set(redo?.map(({ id }) => id));
  const paths = new Set(redo?.map(({ path }) => path));
  try {
    for (const file of filesOf(kernel, { seed, largest: Number(values.largest) })) {
      const done = results.all.filter(isEdit);
      if (redo !== undefined) {
        if (!paths.has(file.path)) continue;
      } else if (done.length >= Number(values.count) && new Set(done.map(({ path }) => path)).size >= Number(values.files)) break;
      if (values.only !== undefined && !new RegExp(values.only).test(file.path)) continue;
      const planned = await plan(task, kernel, file, { kinds, counts, seed, tree, each: Number(values.each), ids });
      await inTurns(planned, Number(values.jobs), async (one) => {
        const known = results.get(one.id);
        if (known !== undefined) return;
        const started = performance.now();
        const patch = join(patches, `${one.id}.patch`);
        writeFileSync(patch, patchOf(one.edit), "latin1");
        const { module, ...judged } = await judge(task, kernel, { ...one, patch });
        const { kind, edit, id } = one;
        const result: Result = {
          id,
          kind: kind.name,
          family: kind.family,
          verdict: kind.verdict,
          path: file.path,
          what: edit.what,
          ...judged,
          ms: 0,
        };
        const tries = kind.tame && values["no-try"] !== true && Random.of(id, seed).below(Number(values.try)) === 0;
        if (judged.class === "right-built" && module !== undefined && tries) await tryIt(result, module);
        result.ms = Math.round(performance.now() - started);
        const kept = ["wrong-module", "false-refusal", "crash"].includes(result.class) || (result.tried ?? "passed") !== "passed";
        if (!kept) rmSync(patch);
        results.add(result);
        say(result);
      });
    }
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    console.error("stopped; the same command goes on");
  } finally {
    await guests.stop();
    kernel.close();
    writeFileSync(join(folder, "summary.json"), `${JSON.stringify(summarise(release, results.all), undefined, 1)}\n`);
  }
  const summary = summarise(release, results.all);
  console.log(JSON.stringify({ edits: summary.edits, files: summary.files, classes: summary.classes, tried: summary.tried }, undefined, 1));
  return summary.wrong.length + summary.crashes.length + summary.failedTrials.length > 0 ? 1 : 0;

  async function tryIt(result: Result, module: Uint8Array): Promise<void> {
    const path = join(folder, `${result.id}.ko`);
    writeFileSync(path, module);
    // One guest: one trial after the other.
    trials = trials.then(async () => {
      const { outcome, why } = await guests.load([path]);
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
  const hoped = { path, object, owner, file, facts: hopedFacts(file), tree };
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

function say({ id, class: outcome, code, why, wrongs, ms, tried }: Result): void {
  const words = [
    outcome,
    id,
    code ?? "",
    tried ?? "",
    `${(ms / 1000).toFixed(1)} s`,
    wrongs?.join("; ") ?? (outcome.startsWith("right") ? "" : (why ?? "")),
  ];
  console.log(words.join("\t").replaceAll("\n", " ").slice(0, 300));
}
