/** Whether objects that headers reach come out otherwise after preprocessing: asked again only where something that they read has another text. */
import { join } from "node:path";
import { type KernelContext, type Overlay, PreprocessedTree, type SourceView, type Step } from "@suture/kbuild";
import { inParallel, type Stage, type Task } from "@suture/task";

export class PreprocessedObjects {
  readonly #task: Task;
  readonly #kernel: KernelContext;
  readonly #view: SourceView;
  readonly #jobs: number;
  readonly #sees: (source: string, path: string) => boolean;
  /** As of `canDiffer`. */
  readonly layoutsHold: boolean;
  #known: PreprocessedTree | undefined;
  /** Those that were the same, with the texts of headers for which that holds. */
  readonly #same = new Map<string, Overlay>();
  readonly #originals = new Map<Step, string | undefined>();

  /** @param sees whether a C file includes another, directly or not */
  constructor(
    task: Task,
    kernel: KernelContext,
    view: SourceView,
    { jobs, layoutsHold, sees }: { jobs: number; layoutsHold: boolean; sees: (source: string, path: string) => boolean },
  ) {
    this.#task = task;
    this.#kernel = kernel;
    this.#view = view;
    this.#jobs = jobs;
    this.layoutsHold = layoutsHold;
    this.#sees = sees;
  }

  /** @param overlay what is in the view now */
  async differing(stage: Stage, objects: readonly string[], overlay: Overlay): Promise<string[]> {
    const asked = objects.filter((object) => !this.#sameHeaders(object, overlay));
    if (asked.length === 0) return [];
    this.#known ??= await PreprocessedTree.open(this.#kernel.target, this.#kernel.original, join(this.#kernel.cache, "kbuild"));
    const known = this.#known;
    let done = 0;
    const differs = await inParallel(asked, this.#jobs, async (object) => {
      stage.note(`preprocessing ${object}`);
      const found = await known.differs(this.#task, this.#kernel.commands.rowOf(object), this.#view, this.layoutsHold);
      stage.progress(++done, asked.length, "objects");
      return found;
    }).finally(() => known.keep(this.#task));
    for (const [at, object] of asked.entries()) if (differs[at] === false) this.#same.set(object, overlay);
    return asked.filter((_, at) => differs[at]);
  }

  /** What a step of the build reads of the source as it is. */
  async originalOf(step: Step, read: (view: SourceView) => Promise<string | undefined>): Promise<string | undefined> {
    if (!this.#originals.has(step)) this.#originals.set(step, await read(this.#kernel.original));
    return this.#originals.get(step);
  }

  /** What it reads is as it was when it came out the same. */
  #sameHeaders(object: string, now: Overlay): boolean {
    const before = this.#same.get(object);
    if (before === undefined) return false;
    const { source } = this.#kernel.commands.rowOf(object);
    const paths = [...new Set([...before.keys(), ...now.keys()])].filter((path) => before.get(path) !== now.get(path));
    return !paths.some((path) => path === source || this.#sees(source, path));
  }
}
