/** Which files include a file, directly or not: asked of many files, so in one pass for all compilers, which leaves nothing out. */
import type { IncludeGraph, KernelContext } from "@suture/kbuild";

/** A set of paths. */
export interface Paths extends Iterable<string> {
  has(path: string): boolean;
}

export class Reaching {
  readonly #graph: IncludeGraph;
  readonly #folders: ReadonlySet<string>;
  readonly #known = new Map<string, Paths>();
  /** A header may be included by ten thousands of files, and each of hundreds: one bit for each of them. */
  readonly #numbers = new Map<string, number>();
  readonly #paths: string[] = [];

  constructor(kernel: KernelContext, graph: IncludeGraph) {
    this.#graph = graph;
    this.#folders = new Set(kernel.commands.byIncludeFolders().flatMap(({ folders }) => [...folders]));
  }

  of(path: string): Paths {
    let found = this.#known.get(path);
    if (found === undefined) {
      found = this.#packed(this.#graph.reach([path], this.#folders));
      this.#known.set(path, found);
    }
    return found;
  }

  #packed(paths: ReadonlySet<string>): Paths {
    for (const path of paths)
      if (!this.#numbers.has(path)) {
        this.#numbers.set(path, this.#paths.length);
        this.#paths.push(path);
      }
    const bits = new Uint8Array(Math.ceil(this.#paths.length / 8));
    const isIn = (number: number): boolean => ((bits[number >> 3] ?? 0) & (1 << (number & 7))) !== 0;
    for (const path of paths) {
      const number = this.#numbers.get(path) ?? 0;
      bits[number >> 3] = (bits[number >> 3] ?? 0) | (1 << (number & 7));
    }
    const all = this.#paths;
    return {
      has: (path) => isIn(this.#numbers.get(path) ?? all.length),
      *[Symbol.iterator]() {
        for (let number = 0; number < bits.length * 8; number++) if (isIn(number)) yield all[number] as string;
      },
    };
  }
}
