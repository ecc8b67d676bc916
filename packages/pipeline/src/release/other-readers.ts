/** What besides C is made of changed files stays as it is in the kernel that runs: units that change it are left out. */
import type { SutureError } from "@suture/errors";
import type { IncludeGraph, KernelContext, SourceView } from "@suture/kbuild";
import type { Stage, Task } from "@suture/task";
import { fail } from "../errors.ts";
import { readBy, scriptReading, stepsReading } from "../reach/readers.ts";
import { blamed } from "./blame.ts";
import type { Choice } from "./choice.ts";
import type { ChosenSource } from "./chosen-source.ts";
import type { PreprocessedObjects } from "./preprocessed-objects.ts";
import { reasonOf } from "./reasons.ts";
import { unfit } from "./unfit.ts";
import type { Left, Unit } from "./units.ts";

export class OtherReaders {
  readonly #task: Task;
  readonly #kernel: KernelContext;
  readonly #graph: IncludeGraph;
  readonly #units: readonly Unit[];
  readonly #source: ChosenSource;

  constructor(
    task: Task,
    kernel: KernelContext,
    { graph, units, source }: { graph: IncludeGraph; units: readonly Unit[]; source: ChosenSource },
  ) {
    this.#task = task;
    this.#kernel = kernel;
    this.#graph = graph;
    this.#units = units;
    this.#source = source;
  }

  /** What shows without compiling: files that are no C, that a program of the build reads, or that are of an object that no livepatch reaches. */
  async refused(choice: Choice): Promise<Map<number, Left>> {
    const gone = new Map<number, Left>();
    const out = (path: string, refusal: SutureError): void => {
      for (const index of choice.among(this.#source.unitsOf(path)))
        if (this.#units[index]?.idle !== true) gone.set(index, { reasons: [reasonOf(refusal)], with: [] });
    };
    const { commands } = this.#kernel;
    const named = new Map(commands.steps.flatMap((step) => [step.source, ...step.inputs].map((path) => [path, step] as const)));
    for (const path of this.#source.paths) {
      const notC = (why: string): SutureError => fail("PATCH_NOT_C", `it changes ${path}${why}`, { file: path });
      const step = named.get(path);
      if (step !== undefined && (step.kind !== "assembly" || !path.endsWith(".h")))
        out(path, notC(` (${step.kind}), of which ${step.output} is made: the kernel that runs keeps what was made of the old one`));
      else if (!/\.([ch]|inc)$/.test(path)) out(path, notC(""));
      else {
        const script = await scriptReading(this.#kernel, path, this.#graph);
        if (script !== undefined)
          out(path, notC(`, which ${script}, a program of the kernel's build, reads: what it makes stays as it is`));
      }
      for (const object of commands.ofSource(path)) {
        const refusal = unfit(this.#task, this.#kernel, object);
        if (refusal !== undefined) out(path, refusal);
      }
    }
    return gone;
  }

  /** Assembly, constants for it, linker scripts, and what programs of the build make of headers: each as it reads them. */
  async refusedSteps(
    stage: Stage,
    choice: Choice,
    { preprocessed, reading }: { preprocessed: PreprocessedObjects; reading: Reading },
  ): Promise<Map<number, Left>> {
    const gone = new Map<number, Left>();
    const headers = this.#source
      .changed(choice.in)
      .filter(({ path }) => !this.#kernel.commands.sources.includes(path))
      .map(({ path }) => path);
    if (headers.length === 0) return gone;
    const relevant = [...new Set(headers.flatMap((path) => choice.among(this.#source.unitsOf(path))))].sort((a, b) => a - b);
    const steps = await stepsReading(this.#kernel, headers, this.#graph);
    for (const [done, step] of steps.entries()) {
      stage.note(step.output);
      stage.progress(done, steps.length, "steps of the build");
      const read = (view: SourceView): Promise<string | undefined> => readBy(this.#task, step, view);
      const before = await preprocessed.originalOf(step, read);
      const refused = async (units: ReadonlySet<number>): Promise<readonly SutureError[]> => {
        const after = await reading(units, read);
        const why = `${step.source === "" ? step.output : step.source} (${step.kind}) reads a header that it changes, and reads it otherwise then`;
        return after !== undefined && after === before
          ? []
          : [fail("PATCH_NOT_C", `${why}: the kernel that runs keeps what was made of the old one`, { file: step.output })];
      };
      const refusals = await refused(choice.in);
      if (refusals.length === 0) continue;
      for (const [index, reasons] of await blamed(this.#units, choice.in, { refusals, relevant }, refused))
        gone.set(index, { reasons: reasons.map(reasonOf), with: [] });
    }
    return gone;
  }
}

/** What somebody reads in the view with a choice of units. */
export type Reading = <T>(units: ReadonlySet<number>, read: (view: SourceView) => Promise<T>) => Promise<T>;
