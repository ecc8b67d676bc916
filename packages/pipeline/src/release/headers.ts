/**
 * Objects that a changed header may make otherwise, and that no changed C file is of. A header may reach thousands: those whose source names nothing of
 * what changed are not looked at. Names are followed through what all headers declare (a macro that uses a changed macro is as good as changed), also
 * where a macro makes them of pieces; where a change is of no name that can be told, all that include the header are looked at.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { KernelContext } from "@suture/kbuild";
import { run, type Stage, type Task } from "@suture/task";
import { declarationsIn, IDENTIFIER } from "./c-declarations.ts";
import type { NamedHunk } from "./pieces.ts";

interface Declared {
  names: readonly string[];
  /** Identifiers in it; kept as text until it is asked. */
  text: string;
}

interface Pasted {
  macro: string;
  /** Of names that the macro makes. */
  begins: readonly string[];
  ends: readonly string[];
}

/** All headers of the source, as what they declare. Read once for a run. */
export class HeaderNames {
  readonly #declared: readonly Declared[];
  readonly #pasted: readonly Pasted[];

  private constructor(declared: readonly Declared[], pasted: readonly Pasted[]) {
    this.#declared = declared;
    this.#pasted = pasted;
  }

  static async read(task: Task, kernel: KernelContext, stage: Stage): Promise<HeaderNames> {
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
    const folders = new Set(kernel.commands.sources.map((path) => path.slice(0, path.lastIndexOf("/"))));
    // Of drivers those in whose folders, or in one above or below, something is built.
    const isNear = (path: string): boolean => {
      if (/^(?:include|arch)\//.test(path)) return true;
      for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) if (folders.has(path.slice(0, at))) return true;
      const folder = `${path.slice(0, path.lastIndexOf("/"))}/`;
      return [...folders].some((own) => own.startsWith(folder));
    };
    const paths = stdout
      .split("\n")
      .filter((path) => path !== "" && isNear(path))
      .sort();
    const declared: Declared[] = [];
    const pasted: Pasted[] = [];
    for (const [done, path] of paths.entries()) {
      stage.note(path);
      stage.progress(done, paths.length, "headers");
      if (done % 50 === 0) await task.pause();
      const text = await readFile(join(tree, path), "latin1").catch(() => "");
      const lines = text.split("\n");
      for (const { names, kind, first, last } of declarationsIn(text)) {
        if (kind === "include" || names.length === 0) continue;
        const own = lines.slice(first, last + 1).join("\n");
        declared.push({ names, text: own });
        if (kind === "macro" && own.includes("##")) pasted.push({ macro: names[0] ?? "", ...piecesIn(own) });
      }
    }
    return new HeaderNames(declared, pasted);
  }

  /** The names, and all that is declared by way of them. */
  async closed(task: Task, names: Iterable<string>): Promise<Set<string>> {
    const found = new Set(names);
    for (let frontier = new Set(found); frontier.size > 0; ) {
      const next = new Set<string>();
      const add = (name: string): void => {
        if (!found.has(name)) next.add(name);
      };
      for (const [at, { names: own, text }] of this.#declared.entries()) {
        if (at % 5000 === 0) await task.pause();
        if (own.every((name) => found.has(name))) continue;
        for (const [word] of text.matchAll(IDENTIFIER))
          if (frontier.has(word)) {
            for (const name of own) add(name);
            break;
          }
      }
      for (const { macro, begins, ends } of this.#pasted)
        for (const name of frontier)
          if (begins.some((part) => name.startsWith(part)) || ends.some((part) => name.endsWith(part))) add(macro);
      for (const name of next) found.add(name);
      frontier = next;
    }
    return found;
  }
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
