/**
 * Objects that a changed header may make otherwise, and that no changed C file is of. A header may reach thousands: those whose source names nothing of
 * what changed are not looked at. Names are followed through what all headers declare (a macro that uses a changed macro is as good as changed), also
 * where a macro makes them of pieces; where a change is of no name that can be told, all that include the header are looked at.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { IncludeGraph, KernelContext } from "@suture/kbuild";
import { run, type Stage, type Task } from "@suture/task";
import { declarationsIn, IDENTIFIER } from "./c-declarations.ts";
import type { NamedHunk } from "./pieces.ts";

/** Macros that make names of pieces, by what such names begin or end with. */
interface Pasted {
  begins: Names;
  ends: Names;
}

type Names = Map<string, string[]>;

const COMMENT = /\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*/g;
/** Not the end of a number: 0xff. */
const WORD = /(?<!\w)[A-Za-z_]\w*/g;

/** What all headers of the source declare by way of what. Read once for a run. */
export class HeaderNames {
  /** By a name, what is declared by way of it. */
  readonly #users: Names = new Map();
  readonly #pasted: Pasted = { begins: new Map(), ends: new Map() };
  /** A word that is cut out of a text holds all of it: each is kept once, as a copy. */
  readonly #words = new Map<string, string>();

  private constructor() {}

  static async read(task: Task, kernel: KernelContext, graph: IncludeGraph, stage: Stage): Promise<HeaderNames> {
    const { tree, arch } = kernel.target;
    const tops = new Set(kernel.commands.sources.map((path) => path.split("/")[0] ?? ""));
    const { stdout } = await run(
      task,
      ["find", "include", arch.kbuild.folder, ...[...tops].filter((top) => top !== "arch" && top !== "include").sort(), "-name", "*.h"],
      {
        cwd: tree,
        accept: [1],
      },
    );
    // Of drivers and the like those that something may include that is built.
    const included = graph.namesFrom(kernel.commands.sources);
    const paths = stdout
      .split("\n")
      .filter((path) => path !== "" && (/^(?:include|arch)\//.test(path) || included.has(path.slice(path.lastIndexOf("/") + 1))))
      .sort();
    const names = new HeaderNames();
    for (const [done, path] of paths.entries()) {
      stage.note(path);
      stage.progress(done, paths.length, "headers");
      if (done % 50 === 0) await task.pause();
      names.add(await readFile(join(tree, path), "latin1").catch(() => ""));
    }
    return names;
  }

  /** Of the texts of headers. */
  static of(texts: readonly string[]): HeaderNames {
    const names = new HeaderNames();
    for (const text of texts) names.add(text);
    return names;
  }

  private add(text: string): void {
    const lines = text.split("\n");
    for (const { names, kind, first, last } of declarationsIn(text)) {
      if (kind === "include" || names.length === 0) continue;
      const declared = lines.slice(first, last + 1).join("\n");
      const words = new Set(declared.replace(COMMENT, " ").match(WORD) ?? []);
      words.delete("define");
      for (const name of names) if (words.size === 1) words.delete(name);
      if (words.size === 0) continue;
      const own = names.map((name) => this.#kept(name));
      // Of two that are declared together one is by way of the other.
      for (const word of words) for (const name of own) if (name !== word) append(this.#users, this.#kept(word), name);
      if (kind !== "macro" || !declared.includes("##")) continue;
      const { begins, ends } = piecesIn(declared);
      for (const part of begins) append(this.#pasted.begins, this.#kept(part), own[0] ?? "");
      for (const part of ends) append(this.#pasted.ends, this.#kept(part), own[0] ?? "");
    }
  }

  #kept(word: string): string {
    const known = this.#words.get(word);
    if (known !== undefined) return known;
    const copy = Buffer.from(word, "latin1").toString("latin1");
    this.#words.set(copy, copy);
    return copy;
  }

  /** The names, and all that is declared by way of them. */
  async closed(task: Task, names: Iterable<string>): Promise<Set<string>> {
    const found = new Set(names);
    const queue = [...found];
    const add = (more: readonly string[] | undefined): void => {
      for (const name of more ?? [])
        if (!found.has(name)) {
          found.add(name);
          queue.push(name);
        }
    };
    const { begins, ends } = this.#pasted;
    for (let done = 0, name = queue.pop(); name !== undefined; name = queue.pop()) {
      if (++done % 10_000 === 0) await task.pause();
      add(this.#users.get(name));
      for (let length = 1; length <= name.length; length++) {
        add(begins.get(name.slice(0, length)));
        add(ends.get(name.slice(-length)));
      }
    }
    return found;
  }
}

function append(map: Names, key: string, name: string): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [name]);
  else if (list.at(-1) !== name) list.push(name);
}

/** `foo_##x`: names that begin with foo_. */
function piecesIn(text: string): { begins: string[]; ends: string[] } {
  const parameters = new Set((/^[^(]*\(([^)]*)\)/.exec(text)?.[1] ?? "").match(IDENTIFIER) ?? []);
  const plain = (word: string | undefined): string[] => (word === undefined || word.length < 3 || parameters.has(word) ? [] : [word]);
  return {
    begins: [...text.matchAll(/([A-Za-z_]\w*)\s*##/g)].flatMap(([, word]) => plain(word)),
    ends: [...text.matchAll(/##\s*(\w+)/g)].flatMap(([, word]) => plain(word)),
  };
}

/** What a header's changes are called, as far as that can be told. @returns undefined where it cannot */
export function namesChanged(hunks: readonly NamedHunk[]): Set<string> | undefined {
  const names = new Set<string>();
  for (const { idle, inside, old, now } of hunks) {
    if (idle || [...old, ...now].every((line) => /^\s*(?:#\s*include\b.*)?$/.test(line))) continue;
    if (inside.length === 0) return undefined;
    for (const { name } of inside) names.add(name);
  }
  return names;
}

/** C files of the kernel that name one of them. */
export async function sourcesNaming(
  task: Task,
  kernel: KernelContext,
  sources: readonly string[],
  names: ReadonlySet<string>,
): Promise<string[]> {
  const found: string[] = [];
  for (const [at, path] of sources.entries()) {
    if (at % 20 === 0) await task.pause();
    const text = await readFile(join(kernel.sourceRoot, path), "latin1").catch(() => "");
    for (const [word] of text.matchAll(IDENTIFIER))
      if (names.has(word)) {
        found.push(path);
        break;
      }
  }
  return found;
}
