/** Whether objects that headers reach come out otherwise after preprocessing: asked again only where something that they read has another text. */
import { join } from "node:path";
import { type KernelContext, type Overlay, PreprocessedTree, type SourceView, type Step } from "@suture/kbuild";
import { inParallel, type Stage, type Task } from "@suture/task";

export class PreprocessedObjects {
  readonly #task: Task;
  readonly #kernel: KernelContext;
  readonly #view: SourceView;
  readonly #jobs: number;
  #known: PreprocessedTree | undefined;
  /** Those that were the same, with the texts of headers for which that holds. */
  readonly #same = new Map<string, Overlay>();
  readonly #originals = new Map<Step, string | undefined>();

  constructor(task: Task, kernel: KernelContext, view: SourceView, jobs: number) {
    this.#task = task;
    this.#kernel = kernel;
    this.#view = view;
    this.#jobs = jobs;
  }

  /** @param overlay what is in the view now */
  async differing(stage: Stage, objects: readonly string[], overlay: Overlay): Promise<string[]> {
    const asked = objects.filter((object) => !sameHeaders(this.#same.get(object), overlay));
    if (asked.length === 0) return [];
    this.#known ??= await PreprocessedTree.open(this.#kernel.target, this.#kernel.original, join(this.#kernel.cache, "kbuild"));
    const known = this.#known;
    let done = 0;
    const differs = await inParallel(asked, this.#jobs, async (object) => {
      stage.note(`preprocessing ${object}`);
      const found = await known.differs(this.#task, this.#kernel.commands.rowOf(object), this.#view);
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
}

function sameHeaders(before: Overlay | undefined, now: Overlay): boolean {
  if (before === undefined) return false;
  const headers = (overlay: Overlay): [string, string][] => [...overlay].filter(([path]) => !path.endsWith(".c"));
  const [one, other] = [headers(before), headers(now)];
  return one.length === other.length && other.every(([path, text]) => before.get(path) === text);
}
