/** Objects that changed headers make otherwise, and that no changed C file is of. */
import type { KernelContext } from "@suture/kbuild";
import type { Stage } from "@suture/task";
import type { Choice } from "./choice.ts";
import type { ChosenSource } from "./chosen-source.ts";
import { between, type NamedBetween } from "./named-between.ts";
import type { PreprocessedObjects } from "./preprocessed-objects.ts";
import { type Plan, without } from "./units.ts";

interface Parts {
  plan: Plan;
  source: ChosenSource;
  preprocessed: PreprocessedObjects;
  named: NamedBetween;
}

export class Reached {
  readonly #kernel: KernelContext;
  readonly #plan: Plan;
  readonly #source: ChosenSource;
  readonly #preprocessed: PreprocessedObjects;
  readonly #named: NamedBetween;

  constructor(kernel: KernelContext, { plan, source, preprocessed, named }: Parts) {
    this.#kernel = kernel;
    this.#plan = plan;
    this.#source = source;
    this.#preprocessed = preprocessed;
    this.#named = named;
  }

  /** @param known objects that are looked at anyway */
  async objects(stage: Stage, choice: Choice, known: ReadonlySet<string>): Promise<string[]> {
    const { commands } = this.#kernel;
    const paths = this.headers(choice);
    if (paths.length === 0) return [];
    const overlay = this.#source.overlay(choice.in);
    const reached = new Set<string>();
    for (const path of paths) for (const source of this.#plan.reaching(path)) reached.add(source);
    const sources = commands.sources.filter((source) => reached.has(source)).sort();
    const { layoutsHold } = this.#preprocessed;
    const candidates = (await this.#named.sources(stage, { before: new Map(), now: overlay, headers: paths, layoutsHold }, sources))
      .flatMap((source) => commands.ofSource(source))
      .filter((object) => !known.has(object) && commands.programOf(object) === undefined);
    return this.#preprocessed.differing(stage, candidates, overlay, async (before, now, objects) => {
      const sources = new Set(objects.map((object) => this.#sourceOf(object)));
      const found = new Set(await this.#named.sources(stage, { before, now, headers: between(before, now), layoutsHold }, sources));
      return objects.filter((object) => found.has(this.#sourceOf(object)));
    });
  }

  /** Units that change what an object's source includes. */
  unitsFor(object: string, choice: Choice): number[] {
    const source = this.#sourceOf(object);
    const seen = this.headers(choice).filter((path) => this.#plan.sees(source, path));
    return [...new Set(seen.flatMap((path) => choice.among(this.#source.unitsOf(path))))];
  }

  /** Of those, the ones that change what it names, and those that change the source itself; where none is known to, all. */
  async unitsNamed(stage: Stage, object: string, choice: Choice): Promise<number[]> {
    const source = this.#sourceOf(object);
    const own = choice.among(this.#source.unitsOf(source));
    const seen = this.unitsFor(object, choice);
    const naming: number[] = [];
    for (const index of seen) {
      const before = this.#source.overlay(without(this.#plan.units, choice.in, [index]));
      const now = this.#source.overlay(choice.in);
      const headers = between(before, now).filter((path) => path !== source && this.#plan.sees(source, path));
      const found = await this.#named.sources(stage, { before, now, headers, layoutsHold: false }, [source]);
      if (found.length > 0) naming.push(index);
    }
    return [...new Set([...own, ...(naming.length > 0 || own.length > 0 ? naming : seen)])];
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
