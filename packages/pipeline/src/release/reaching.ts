/** Which files include a file, directly or not: asked of many files, so in one pass for all compilers, which leaves nothing out. */
import type { IncludeGraph, KernelContext } from "@suture/kbuild";

export class Reaching {
  readonly #graph: IncludeGraph;
  readonly #folders: ReadonlySet<string>;
  readonly #known = new Map<string, ReadonlySet<string>>();

  constructor(kernel: KernelContext, graph: IncludeGraph) {
    this.#graph = graph;
    this.#folders = new Set(kernel.commands.byIncludeFolders().flatMap(({ folders }) => [...folders]));
  }

  of(path: string): ReadonlySet<string> {
    let found = this.#known.get(path);
    if (found === undefined) {
      found = this.#graph.reach([path], this.#folders);
      this.#known.set(path, found);
    }
    return found;
  }
}
