/**
 * What all headers of a kernel declare by way of which names, and which names each C file has: from the text alone, so that it is made in seconds and holds
 * whatever the conditions are. Words, files and declarations are numbers.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { IncludeGraph, KernelContext } from "@suture/kbuild";
import type { Stage, Task } from "@suture/task";
import { run } from "@suture/task";
import { identifiersOf } from "../../c/declarations.ts";
import { Growing, GrowingLists, type Lists, Words } from "./lists.ts";
import { type Kind, type Named, namedIn, type Pieces } from "./named.ts";

const KINDS: readonly Kind[] = ["function", "macro", "type", "variable", "prototype", "call", "include", "directive"];

export interface NameIndex {
  words: Words;
  /** Headers, and C files that others include. */
  files: readonly string[];
  fileOf: Int32Array;
  kindOf(declaration: number): Kind;
  /** Of each declaration, what it declares. */
  names: Lists;
  mentions: Lists;
  /** Of each word, the declarations that mention it. */
  users: Lists;
  /** Of a call, the macros, and what they are given. */
  calls: Lists;
  given: Lists;
  /** Macros that make names of pieces. */
  pasting: readonly { declaration: number; pieces: Pieces }[];
  /** Macros that put something into an object wherever they stand. */
  coding: ReadonlySet<number>;
  /** Of each C file, the words. */
  sources: ReadonlyMap<string, Int32Array>;
}

export class IndexMaker {
  readonly #words = new Words();
  readonly #files: string[] = [];
  readonly #fileOf = new Growing();
  readonly #kinds = new Growing();
  readonly #names = new GrowingLists();
  readonly #mentions = new GrowingLists();
  readonly #calls = new GrowingLists();
  readonly #given = new GrowingLists();
  readonly #pasting: { declaration: number; pieces: Pieces }[] = [];
  readonly #coding = new Set<number>();
  readonly #sources = new Map<string, Int32Array>();

  addHeader(path: string, text: string): void {
    const file = this.#files.push(path) - 1;
    for (const named of namedIn(text)) if (named.words.size > 0 || named.pasted.length > 0) this.#add(file, named);
  }

  #add(file: number, { kind, names, words, pasted, makesCode, calls, given }: Named): void {
    const declaration = this.#fileOf.push(file);
    this.#kinds.push(KINDS.indexOf(kind));
    this.#names.add(this.#numbers(new Set(names)));
    this.#mentions.add(this.#numbers(words));
    this.#calls.add(this.#numbers(calls));
    this.#given.add(this.#numbers(given));
    if (makesCode) this.#coding.add(declaration);
    for (const pieces of pasted) this.#pasting.push({ declaration, pieces });
  }

  addSource(path: string, text: string): void {
    this.#sources.set(path, Int32Array.from(this.#numbers(identifiersOf(text))));
  }

  #numbers(words: Iterable<string>): number[] {
    return Array.from(words, (word) => this.#words.idOf(word));
  }

  done(): NameIndex {
    const mentions = this.#mentions.done();
    const kinds = this.#kinds.done();
    return {
      words: this.#words,
      files: this.#files,
      fileOf: this.#fileOf.done(),
      kindOf: (declaration) => KINDS[kinds[declaration] ?? -1] as Kind,
      names: this.#names.done(),
      mentions,
      users: mentions.inverted(this.#words.size),
      calls: this.#calls.done(),
      given: this.#given.done(),
      pasting: this.#pasting,
      coding: this.#coding,
      sources: this.#sources,
    };
  }
}

export async function indexOf(task: Task, kernel: KernelContext, graph: IncludeGraph, stage: Stage): Promise<NameIndex> {
  const { target, commands } = kernel;
  const maker = new IndexMaker();
  const headers = await headersOf(task, kernel, graph);
  const { sources } = commands;
  for (const [done, path] of [...headers, ...sources].entries()) {
    if (done % 50 === 0) {
      stage.note(`names of ${path}`);
      stage.progress(done, headers.length + sources.length, "files");
      await task.pause();
    }
    // What the build makes may not be there: no text of a patch is in it.
    const text = await readFile(join(target.tree, path), "latin1").catch(() => "");
    if (done < headers.length) maker.addHeader(path, text);
    else maker.addSource(path, text);
  }
  return maker.done();
}

/** All that something may include that is built. */
async function headersOf(task: Task, { target, commands }: KernelContext, graph: IncludeGraph): Promise<string[]> {
  const { tree, arch } = target;
  const tops = [...new Set(commands.sources.map((path) => path.split("/")[0] ?? ""))].filter((top) => top !== "arch" && top !== "include");
  const argv = [
    "find",
    "-L",
    "include",
    arch.kbuild.folder,
    ...tops.sort(),
    "-type",
    "f",
    "(",
    "-name",
    "*.h",
    "-o",
    "-name",
    "*.c",
    "-o",
    "-name",
    "*.inc",
    ")",
  ];
  const { stdout } = await run(task, argv, { cwd: tree });
  const included = graph.namesFrom(commands.sources);
  const forced = new Set(commands.forced);
  return stdout
    .split("\n")
    .filter((path) => path !== "" && (included.has(path.slice(path.lastIndexOf("/") + 1)) || forced.has(path)))
    .sort();
}
