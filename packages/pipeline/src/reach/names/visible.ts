/** Which headers a C file may see: all that its includes may mean, and theirs; conditions are not looked at. */
import { dirname, join, normalize } from "node:path";
import type { Commands, IncludeGraph } from "@suture/kbuild";

/** Some of what files name in their #include lines, by file. */
export type Includes = ReadonlyMap<string, ReadonlySet<string>>;

export class FileSet {
  readonly #bits: Uint8Array;

  constructor(size: number) {
    this.#bits = new Uint8Array(Math.ceil(size / 8));
  }

  has(file: number): boolean {
    return ((this.#bits[file >> 3] ?? 0) & (1 << (file & 7))) !== 0;
  }

  /** @returns whether it was not there */
  add(file: number): boolean {
    if (this.has(file)) return false;
    this.#bits[file >> 3] = (this.#bits[file >> 3] ?? 0) | (1 << (file & 7));
    return true;
  }
}

export class Visible {
  readonly #graph: IncludeGraph;
  readonly #commands: Commands;
  readonly #paths: readonly string[];
  readonly #numbers: ReadonlyMap<string, number>;
  /** By the folders that compilers look in, what each file includes. */
  readonly #groups: readonly { folders: readonly string[]; included: Map<string, readonly number[]> }[];
  readonly #groupOf = new Map<string, number>();

  /** @param paths all headers, by their numbers */
  constructor(graph: IncludeGraph, commands: Commands, paths: readonly string[]) {
    this.#graph = graph;
    this.#commands = commands;
    this.#paths = paths;
    this.#numbers = new Map(paths.map((path, number) => [path, number]));
    const groups = commands.byIncludeFolders();
    this.#groups = groups.map(({ folders }) => ({ folders: [...folders], included: new Map() }));
    for (const [number, { sources }] of groups.entries()) for (const source of sources) this.#groupOf.set(source, number);
  }

  /** @param without lines that are taken as not there */
  of(source: string, without: Includes = new Map()): FileSet {
    const found = new FileSet(this.#paths.length);
    const { folders = [], included = new Map() } = this.#groups[this.#groupOf.get(source) ?? -1] ?? {};
    const meant = (path: string): readonly number[] => {
      const missing = without.get(path);
      const known = missing === undefined ? included.get(path) : undefined;
      if (known !== undefined) return known;
      const files = this.#graph.namedBy(path).flatMap((name) => (missing?.has(name) ? [] : this.#meant(path, name, folders)));
      if (missing === undefined) included.set(path, files);
      return files;
    };
    const forced = this.#commands.forcedBy(source).flatMap((path) => this.#numbers.get(path) ?? []);
    const queue = [...forced, ...meant(source)].filter((file) => found.add(file));
    for (let file = queue.pop(); file !== undefined; file = queue.pop())
      for (const other of meant(this.#paths[file] ?? "")) if (found.add(other)) queue.push(other);
    return found;
  }

  #meant(file: string, name: string, folders: readonly string[]): number[] {
    return [dirname(file), ...folders].flatMap((folder) => this.#numbers.get(normalize(join(folder, name))) ?? []);
  }
}
