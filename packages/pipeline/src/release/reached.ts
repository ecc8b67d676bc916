/** Objects that changed headers make otherwise, and that no changed C file is of. */
import type { KernelContext } from "@suture/kbuild";
import type { Stage, Task } from "@suture/task";
import type { Choice } from "./choice.ts";
import type { ChosenSource } from "./chosen-source.ts";
import { HeaderNames, namesChanged, sourcesNaming } from "./headers.ts";
import type { PreprocessedObjects } from "./preprocessed-objects.ts";
import type { Plan } from "./units.ts";

export class Reached {
  readonly #task: Task;
  readonly #kernel: KernelContext;
  readonly #plan: Plan;
  readonly #source: ChosenSource;
  readonly #preprocessed: PreprocessedObjects;
  #names: HeaderNames | undefined;

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
    const headers = this.headers(choice);
    if (headers.length === 0) return [];
    const names = new Set<string>();
    const sources = new Set<string>();
    const reached = new Set<string>();
    const built = new Set(commands.sources);
    for (const path of headers) {
      const units = choice.among(this.#source.unitsOf(path));
      const own = namesChanged(units.flatMap((index) => this.#plan.units[index]?.hunks.filter((hunk) => hunk.path === path) ?? []));
      for (const name of own ?? []) names.add(name);
      for (const source of this.#plan.reaching(path)) if (built.has(source)) (own === undefined ? sources : reached).add(source);
    }
    stage.note("which files name what headers change");
    this.#names ??= await HeaderNames.read(this.#task, this.#kernel, this.#plan.graph, stage);
    const closed = await this.#names.closed(this.#task, names);
    for (const source of await sourcesNaming(this.#task, this.#kernel, [...reached].sort(), closed)) sources.add(source);
    const candidates = [...sources]
      .sort()
      .flatMap((source) => commands.ofSource(source))
      .filter((object) => !known.has(object) && commands.programOf(object) === undefined);
    return this.#preprocessed.differing(stage, candidates, this.#source.overlay(choice.in));
  }

  /** Units that change what an object's source includes. */
  unitsFor(object: string, choice: Choice): number[] {
    const { commands } = this.#kernel;
    const source = commands.sources.find((path) => commands.ofSource(path).includes(object)) ?? "";
    const seen = this.headers(choice).filter((path) => this.#plan.sees(source, path));
    return [...new Set(seen.flatMap((path) => choice.among(this.#source.unitsOf(path))))];
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
