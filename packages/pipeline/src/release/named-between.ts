/** Which C files name what headers have otherwise in one choice of units than in another. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { IncludeGraph, KernelContext, Overlay } from "@suture/kbuild";
import type { Stage, Task } from "@suture/task";
import { type ChangedHeader, NamesReach } from "../reach/names/reach.ts";

export class NamedBetween {
  readonly #task: Task;
  readonly #kernel: KernelContext;
  readonly #graph: IncludeGraph;
  #names: NamesReach | undefined;

  /** @param graph what includes what, also in what the units add */
  constructor(task: Task, kernel: KernelContext, graph: IncludeGraph) {
    this.#task = task;
    this.#kernel = kernel;
    this.#graph = graph;
  }

  /**
   * @param headers files that others include
   * @param layoutsHold as of `canDiffer`
   */
  async sources(
    stage: Stage,
    { before, now, headers, layoutsHold }: { before: Overlay; now: Overlay; headers: readonly string[]; layoutsHold: boolean },
    sources: Iterable<string>,
  ): Promise<string[]> {
    this.#names ??= await NamesReach.open(this.#task, this.#kernel, this.#graph, stage);
    stage.note("which files name what headers change");
    const changed = await Promise.all(headers.map((path) => this.#changed(path, before, now)));
    return this.#names.reached(this.#task, changed, sources, layoutsHold);
  }

  /** A file of two choices; where one leaves it alone, as it is. */
  async #changed(path: string, before: Overlay, now: Overlay): Promise<ChangedHeader> {
    const original = await readFile(join(this.#kernel.sourceRoot, path), "latin1").catch(() => undefined);
    return { path, before: before.get(path) ?? original, after: now.get(path) ?? original };
  }
}

/** Files that two choices have otherwise. */
export function between(before: Overlay, now: Overlay): string[] {
  if (before === now) return [];
  return [...new Set([...before.keys(), ...now.keys()])].filter((path) => before.get(path) !== now.get(path));
}
