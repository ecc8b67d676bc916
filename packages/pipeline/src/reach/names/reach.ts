/**
 * C files that changed headers may make otherwise, by the names of what they change. A header may reach thousands of files by its inclusion; few of them
 * name what it changes, or what is declared by way of it. Nothing is compiled or preprocessed for this: the caller drops what comes out the same.
 */
import type { IncludeGraph, KernelContext } from "@suture/kbuild";
import type { Stage, Task } from "@suture/task";
import { Closure, type Seeds, seedsOf } from "./closure.ts";
import type { NameIndex } from "./index.ts";
import { indexOf } from "./open.ts";
import { changedBetween, includesIn } from "./seeds.ts";
import { type FileSet, Visible } from "./visible.ts";

/** A file that others include, before and after. */
export interface ChangedHeader {
  path: string;
  before: string | undefined;
  after: string | undefined;
}

export class NamesReach {
  readonly #index: NameIndex;
  readonly #closure: Closure;
  readonly #visible: Visible;
  readonly #files: ReadonlyMap<string, number>;
  readonly #declared: ReadonlyMap<number, number[]>;
  readonly #seen = new Map<string, FileSet>();

  private constructor(index: NameIndex, kernel: KernelContext, graph: IncludeGraph) {
    this.#index = index;
    this.#closure = new Closure(index);
    // Headers that come with a change are in the graph only.
    const paths = [...new Set([...index.files, ...graph.files])];
    this.#visible = new Visible(graph, kernel.commands, paths);
    this.#files = new Map(paths.map((path, number) => [path, number]));
    const declared = new Map<number, number[]>();
    for (const [declaration, file] of index.fileOf.entries()) {
      const list = declared.get(file);
      if (list === undefined) declared.set(file, [declaration]);
      else list.push(declaration);
    }
    this.#declared = declared;
  }

  /** @param graph what includes what, also in what the changes add */
  static async open(task: Task, kernel: KernelContext, graph: IncludeGraph, stage: Stage): Promise<NamesReach> {
    return new NamesReach(await indexOf(task, kernel, graph, stage), kernel, graph);
  }

  /** Headers that something may include that is built, and C files that others include. */
  get headers(): readonly string[] {
    return this.#index.files;
  }

  /**
   * @param sources those that may include one of the headers
   * @param layoutsHold as of `canDiffer`
   */
  async reached(task: Task, headers: readonly ChangedHeader[], sources: Iterable<string>, layoutsHold: boolean): Promise<string[]> {
    const changed = headers.map(({ path, before = "", after = "" }) => ({
      file: this.#files.get(path) ?? -1,
      seeds: seedsOf(this.#index, changedBetween(before, after, layoutsHold)),
    }));
    const includes = new Map<string, ReadonlySet<string>>();
    for (const { path, before = "", after = "" } of headers) {
      const [old, now] = [includesIn(before), includesIn(after)];
      const only = new Set([...old, ...now].filter((name) => !(old.has(name) && now.has(name))));
      if (only.size > 0) includes.set(path, only);
    }
    const files = [...includes.keys()].map((path) => this.#files.get(path) ?? -1);
    const found: string[] = [];
    for (const [done, source] of [...sources].entries()) {
      if (done % 20 === 0) await task.pause();
      const seen = this.#seenFrom(source);
      const seeds = changed.filter(({ file }) => seen.has(file)).map((one) => one.seeds);
      if (files.some((file) => seen.has(file))) seeds.push(this.#onlyBetween(seen, this.#visible.of(source, includes)));
      const own = this.#index.sourceOf(source);
      if (own === undefined || this.#closure.reaches(own, seen, seeds)) found.push(source);
    }
    return found;
  }

  #seenFrom(source: string): FileSet {
    let seen = this.#seen.get(source);
    if (seen === undefined) {
      seen = this.#visible.of(source);
      this.#seen.set(source, seen);
    }
    return seen;
  }

  /** All that is declared in files that are seen with lines only that not both texts have. */
  #onlyBetween(all: FileSet, common: FileSet): Seeds {
    const names = new Map<number, boolean>();
    for (const [file, declarations] of this.#declared)
      if (all.has(file) && !common.has(file))
        for (const declaration of declarations) for (const name of this.#index.names.of(declaration)) names.set(name, true);
    return { names, calls: [], doubt: false };
  }
}
