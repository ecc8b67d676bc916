/** Objects that changed headers make otherwise, and that no changed C file is of. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { KernelContext, Overlay } from "@suture/kbuild";
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
    const reached = new Set<string>();
    for (const path of paths) for (const source of this.#plan.reaching(path)) reached.add(source);
    this.#names ??= await NamesReach.open(this.#task, this.#kernel, this.#plan.graph, stage);
    const names = this.#names;
    const naming = async (before: Overlay, now: Overlay, among: readonly string[], sources: Iterable<string>): Promise<string[]> => {
      stage.note("which files name what headers change");
      const headers = await Promise.all(among.map((path) => this.#changed(path, before, now)));
      return names.reached(this.#task, headers, sources, this.#preprocessed.layoutsHold);
    };
    const sources = commands.sources.filter((source) => reached.has(source)).sort();
    const candidates = (await naming(new Map(), overlay, paths, sources))
      .flatMap((source) => commands.ofSource(source))
      .filter((object) => !known.has(object) && commands.programOf(object) === undefined);
    return this.#preprocessed.differing(stage, candidates, overlay, async (before, now, objects) => {
      const between = [...new Set([...before.keys(), ...now.keys()])].filter((path) => before.get(path) !== now.get(path));
      const found = new Set(await naming(before, now, between, new Set(objects.map((object) => this.#sourceOf(object)))));
      return objects.filter((object) => found.has(this.#sourceOf(object)));
    });
  }

  /** A file of two choices; where one leaves it alone, as it is. */
  async #changed(path: string, before: Overlay, now: Overlay): Promise<ChangedHeader> {
    const original = await readFile(join(this.#kernel.sourceRoot, path), "latin1").catch(() => undefined);
    return { path, before: before.get(path) ?? original, after: now.get(path) ?? original };
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
