/** Objects that changed headers make otherwise, and that no changed C file is of. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { KernelContext } from "@suture/kbuild";
import type { Stage, Task } from "@suture/task";
import { type ChangedHeader, NamesReach } from "../reach/names/reach.ts";
import type { Choice } from "./choice.ts";
import type { ChosenSource } from "./chosen-source.ts";
import type { PreprocessedObjects } from "./preprocessed-objects.ts";
import type { Plan } from "./units.ts";

export class Reached {
  readonly #task: Task;
  readonly #kernel: KernelContext;
  readonly #plan: Plan;
  readonly #source: ChosenSource;
  readonly #preprocessed: PreprocessedObjects;
  #names: NamesReach | undefined;

  constructor(
    task: Task,
    kernel: KernelContext,
    { plan, source, preprocessed }: { plan: Plan; source: ChosenSource; preprocessed: PreprocessedObjects },
  ) {
    this.#task = task;
    this.#kernel = kernel;
    this.#plan = plan;
    this.#source = source;
    this.#preprocessed = preprocessed;
  }

  /** @param known objects that are looked at anyway */
  async objects(stage: Stage, choice: Choice, known: ReadonlySet<string>): Promise<string[]> {
    const { commands } = this.#kernel;
    const paths = this.headers(choice);
    if (paths.length === 0) return [];
    const overlay = this.#source.overlay(choice.in);
    const headers: ChangedHeader[] = [];
    const reached = new Set<string>();
    for (const path of paths) {
      const before = await readFile(join(this.#kernel.sourceRoot, path), "latin1").catch(() => undefined);
      headers.push({ path, before, after: overlay.get(path) });
      for (const source of this.#plan.reaching(path)) reached.add(source);
    }
    const sources = commands.sources.filter((source) => reached.has(source)).sort();
    this.#names ??= await NamesReach.open(this.#task, this.#kernel, this.#plan.graph, stage);
    stage.note("which files name what headers change");
    const candidates = (await this.#names.reached(this.#task, headers, sources, this.#preprocessed.layoutsHold))
      .flatMap((source) => commands.ofSource(source))
      .filter((object) => !known.has(object) && commands.programOf(object) === undefined);
    return this.#preprocessed.differing(stage, candidates, overlay);
  }

  /** Units that change what an object's source includes. */
  unitsFor(object: string, choice: Choice): number[] {
    const source = this.#sourceOf(object);
    const seen = this.headers(choice).filter((path) => this.#plan.sees(source, path));
    return [...new Set(seen.flatMap((path) => choice.among(this.#source.unitsOf(path))))];
  }

  #sourceOf(object: string): string {
    return this.#kernel.commands.rowOf(object).source;
  }

  /** Changed files that others include. */
  headers(choice: Choice): string[] {
    const { commands } = this.#kernel;
    return this.#source
      .changed(choice.in)
      .map(({ path }) => path)
      .filter((path) => commands.ofSource(path).length === 0 || path.endsWith(".h"));
  }
}
