/** Whether objects that headers reach come out otherwise after preprocessing: asked again only where they name what changed since. */
import { join } from "node:path";
import { type KernelContext, type Overlay, PreprocessedTree, type SourceView, type Step } from "@suture/kbuild";
import { inParallel, type Stage, type Task } from "@suture/task";

export class PreprocessedObjects {
  readonly #task: Task;
  readonly #kernel: KernelContext;
  readonly #view: SourceView;
  readonly #jobs: number;
  /** As of `canDiffer`. */
  readonly layoutsHold: boolean;
  #known: PreprocessedTree | undefined;
  /** Those that were the same, with the texts of headers for which that holds. */
  readonly #same = new Map<string, Overlay>();
  readonly #originals = new Map<Step, string | undefined>();

  constructor(task: Task, kernel: KernelContext, view: SourceView, { jobs, layoutsHold }: { jobs: number; layoutsHold: boolean }) {
    this.#task = task;
    this.#kernel = kernel;
    this.#view = view;
    this.#jobs = jobs;
    this.layoutsHold = layoutsHold;
  }

  /**
   * @param overlay what is in the view now
   * @param between objects, of those that came out the same with one overlay, that may come out otherwise with the next
   */
  async differing(stage: Stage, objects: readonly string[], overlay: Overlay, between: Between): Promise<string[]> {
    const asked = await this.#toAsk(objects, overlay, between);
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

  /** All but those that came out the same, and whose headers changed nothing since that they name. */
  async #toAsk(objects: readonly string[], overlay: Overlay, between: Between): Promise<string[]> {
    const known = new Map<Overlay, string[]>();
    for (const object of objects) {
      const before = this.#same.get(object);
      if (before !== undefined && before !== overlay) known.set(before, [...(known.get(before) ?? []), object]);
    }
    for (const [before, same] of known) {
      const changed = new Set(await between(before, overlay, same));
      for (const object of same) {
        if (changed.has(object)) this.#same.delete(object);
        else this.#same.set(object, overlay);
      }
    }
    return objects.filter((object) => !this.#same.has(object));
  }
}

type Between = (before: Overlay, now: Overlay, objects: readonly string[]) => Promise<readonly string[]>;
