/** Headers are edited: no C file that the names leave out comes out otherwise when it is preprocessed, or compiled. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isSection, readElf, SHF, SHT } from "@suture/elf";
import { compile, type IncludeGraph, includesOf, type KernelContext, PreprocessedTree } from "@suture/kbuild";
import { NamesReach } from "@suture/pipeline";
import type { Task } from "@suture/task";
import { Random } from "../edits/random.ts";
import { COMMON } from "../options.ts";
import { type Found, newestCloud, type Run } from "../run.ts";
import { editOf, type HeaderEdit } from "./edits.ts";

/** C files that a header reaches, at least, for its names to be asked. */
const FEW = 100;

export const headers: Run = {
  name: "headers",
  what: "no object is left out by the names of what a header changes that comes out otherwise",
  words: {
    kernel: COMMON.kernel,
    sample: { ...COMMON.sample, what: "so many edits of headers, chosen by the seed", is: "100", short: "2" },
    seed: COMMON.seed,
    each: { value: "N", what: "so many objects of each edit are preprocessed, of those that are left out", is: "40", short: "5" },
    compiled: { value: "N", what: "so many of them are compiled, too", is: "3", short: "1" },
  },
  kernel: newestCloud,
  async run(context) {
    const { task, options } = context;
    const kernel = await context.kernel();
    const [sample, seed] = [options.number("sample"), options.number("seed")];
    const counts = { each: options.number("each"), compiled: options.number("compiled") };
    const held = await Held.open(task, kernel);
    let done = 0;
    const totals: Record<string, number> = {};
    for (const path of Random.of("headers", seed).shuffled(held.headers)) {
      if (done === sample) break;
      const text = await readFile(join(kernel.target.tree, path), "latin1");
      const edit = editOf(text, Random.of(path, seed));
      const sources = edit === undefined ? [] : held.seeing(path);
      if (edit === undefined || sources.length < FEW) continue;
      const result = await context.item(path, () => held.check(path, { text, edit, sources, seed }, counts));
      if (result === undefined) continue;
      done++;
      for (const [name, count] of Object.entries((result.more ?? {}) as Record<string, number>))
        if (typeof count === "number") totals[name] = (totals[name] ?? 0) + count;
    }
    context.more = { edits: done, ...totals };
  },
};

interface Case {
  text: string;
  edit: HeaderEdit;
  /** C files that may include it. */
  sources: readonly string[];
  seed: number;
}

class Held {
  readonly #task: Task;
  readonly #kernel: KernelContext;
  readonly #names: NamesReach;
  readonly #known: PreprocessedTree;
  readonly #graph: IncludeGraph;
  readonly #folders: ReadonlySet<string>;

  private constructor(
    task: Task,
    kernel: KernelContext,
    { names, known, graph }: { names: NamesReach; known: PreprocessedTree; graph: IncludeGraph },
  ) {
    this.#task = task;
    this.#kernel = kernel;
    this.#names = names;
    this.#known = known;
    this.#graph = graph;
    this.#folders = new Set(kernel.commands.byIncludeFolders().flatMap(({ folders }) => [...folders]));
  }

  static async open(task: Task, kernel: KernelContext): Promise<Held> {
    const cache = join(kernel.cache, "kbuild");
    // A header's name, so that all lines are read.
    const graph = await includesOf(task, kernel.target, cache, new Map([["include/none.h", ""]]));
    const names = await task.stage("names", (stage) => NamesReach.open(task, kernel, graph, stage));
    return new Held(task, kernel, { names, graph, known: await PreprocessedTree.open(kernel.target, kernel.original, cache) });
  }

  get headers(): string[] {
    return this.#names.headers.filter((path) => path.startsWith("include/") && path.endsWith(".h")).sort();
  }

  seeing(path: string): string[] {
    const reached = this.#graph.reach([path], this.#folders);
    return this.#kernel.commands.sources.filter((source) => reached.has(source)).sort();
  }

  async check(path: string, { text, edit, sources, seed }: Case, { each, compiled }: { each: number; compiled: number }): Promise<Found> {
    const { commands } = this.#kernel;
    const named = new Set(await this.#names.reached(this.#task, [{ path, before: text, after: edit.text }], sources, true));
    const others = sources.flatMap((source) => (named.has(source) ? [] : commands.ofSource(source)));
    const some = Random.of(path, seed)
      .shuffled(others.filter((object) => commands.programOf(object) === undefined && commands.ownerOf(object) !== undefined))
      .slice(0, each);
    const missed: string[] = [];
    const view = await this.#kernel.changed(this.#task, new Map([[path, edit.text]]));
    try {
      for (const [at, object] of some.entries()) {
        const command = commands.of(object);
        if (await this.#known.differs(this.#task, command, view, true)) missed.push(`${object} is preprocessed to something else`);
        else if (at < compiled) {
          const [old, now] = [
            await compile(this.#task, command, "plain", this.#kernel.original),
            await compile(this.#task, command, "plain", view),
          ];
          if (codeOf(old.bytes, object) !== codeOf(now.bytes, object)) missed.push(`${object} is compiled to something else`);
        }
      }
    } finally {
      await view.dispose();
      await this.#known.keep(this.#task);
    }
    const more = {
      kind: edit.kind,
      seeing: sources.length,
      named: named.size,
      preprocessed: some.length,
      compiled: Math.min(compiled, some.length),
    };
    const told = `${edit.kind}: ${sources.length} C files may include it, ${named.size} name what it changes`;
    return { good: missed.length === 0, outcome: missed.length === 0 ? "held" : "missed", why: [told, ...missed].join("; "), more };
  }
}

/** All that the kernel would have in memory; numbers in names count what came before. */
function codeOf(bytes: Uint8Array, object: string): string {
  const name = (text: string): string => text.replace(/\d+/g, "N");
  const elf = readElf(bytes, object);
  const loaded = elf.sections.filter(({ flags }) => (flags & SHF.ALLOC) !== 0);
  return JSON.stringify(
    loaded.map((section) => [
      name(section.name),
      Buffer.from(section.data).toString("latin1"),
      elf.sections
        .flatMap((one) => (one.type === SHT.RELA && one.target === section ? one.relocations : []))
        .map(({ offset, type, addend, symbol }) => [
          offset,
          type,
          addend,
          symbol === undefined ? "" : isSection(symbol.place) && symbol.name === "" ? name(symbol.place.name) : name(symbol.name),
        ]),
    ]),
  );
}
