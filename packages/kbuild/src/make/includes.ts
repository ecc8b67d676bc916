/**
 * Which C files a changed file reaches through #include. An estimate from the text that leaves nothing out: conditions are not looked at, and
 * a name may mean a file in any of the folders that the compiler is told to look in. The caller drops what does not change after
 * preprocessing. Read once per kernel and kept.
 */
import { readdir } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { keepJson, readKept } from "@suture/files";
import type { Target } from "@suture/sources";
import { run, type Task } from "@suture/task";
import * as v from "valibot";
import { keyOf } from "./key.ts";

/** Folders whose files no kernel object includes; of arch/ only the one that is built. */
const FOREIGN = new Set(["Documentation", "tools", "samples", "usr", "LICENSES", "arch"]);
const INCLUDE = '^[[:space:]]*#[[:space:]]*include[[:space:]]+[<"][^>"]+[>"]';

/** The header by which C files write constants for assembly: those files are no objects, and are found by it. */
const OF_CONSTANTS = /(?:^|\/)kbuild\.h$/;

/** To be raised with every change to what is kept. */
const VERSION = 3;

/** A file, and what one of its #include lines names. */
type Line = [file: string, name: string];
/** What it names begins with `.`; `end` is what comes behind the last of its dots. */
interface Dotted {
  file: string;
  name: string;
  end: string;
}

const LINES: v.GenericSchema<Line[]> = v.array(v.tuple([v.string(), v.string()]));

export class IncludeGraph {
  /** By the last part of what is included. */
  readonly #users = new Map<string, Line[]>();
  /** By path, the files in whose own folder the name means it; and by what is named, those that name it. */
  readonly #beside = new Map<string, string[]>();
  readonly #byName = new Map<string, string[]>();
  /** Names that begin with `.`, by their last parts. */
  readonly #dotted = new Map<string, Dotted[]>();
  #named: ReadonlyMap<string, readonly string[]> | undefined;
  /** Those that go up. */
  readonly #upward: Line[] = [];

  constructor(lines: readonly Line[]) {
    for (const line of lines) {
      const [file, name] = line;
      if (name.includes("../")) this.#upward.push(line);
      append(this.#beside, normalize(join(dirname(file), name)), file);
      if (name.startsWith(".")) append(this.#dotted, lastPart(name), { file, name, end: name.slice(name.lastIndexOf("./") + 2) });
      else append(this.#byName, name, file);
      const key = lastPart(line[1]);
      const list = this.#users.get(key);
      if (list === undefined) this.#users.set(key, [line]);
      else list.push(line);
    }
  }

  /**
   * All files that include one of `paths`, directly or not; with them.
   * @param folders where the compiler looks for what is included, besides the folder of the file that includes
   */
  reach(paths: readonly string[], folders: ReadonlySet<string>): Set<string> {
    const reached = new Set(paths);
    const queue = [...paths];
    const add = (files: readonly string[] | undefined): void => {
      for (const file of files ?? [])
        if (!reached.has(file)) {
          reached.add(file);
          queue.push(file);
        }
    };
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
      add(this.#beside.get(path));
      add(this.#upwardUsers(path, folders));
      for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1))
        if (folders.has(path.slice(0, at))) add(this.#byName.get(path.slice(at + 1)));
    }
    return reached;
  }

  /** Files in which a name that begins with `.` means the path from one of the folders that the compiler looks in. */
  #upwardUsers(path: string, folders: ReadonlySet<string>): string[] {
    const users = (this.#dotted.get(lastPart(path)) ?? []).filter(({ end }) => path.endsWith(end));
    return users.filter(({ name }) => [...folders].some((folder) => normalize(join(folder, name)) === path)).map(({ file }) => file);
  }

  /** The files that have an #include line whose last part is that of `path`, with what the line names. */
  usersOf(path: string): readonly (readonly [file: string, name: string])[] {
    return this.#users.get(lastPart(path)) ?? [];
  }

  /** All that include something. */
  get files(): Iterable<string> {
    this.#named ??= this.#byFile();
    return this.#named.keys();
  }

  /** What the #include lines of a file name. */
  namedBy(file: string): readonly string[] {
    this.#named ??= this.#byFile();
    return this.#named.get(file) ?? [];
  }

  #byFile(): Map<string, string[]> {
    const named = new Map<string, string[]>();
    for (const lines of this.#users.values()) for (const [file, name] of lines) append(named, file, name);
    return named;
  }

  /** Last parts of all that files may include, directly or not, wherever it is. */
  namesFrom(files: readonly string[]): Set<string> {
    this.#named ??= this.#byFile();
    const byLast = new Map<string, string[]>();
    for (const file of this.#named.keys()) append(byLast, lastPart(file), file);
    const found = new Set<string>();
    const queue = [...files];
    for (let file = queue.pop(); file !== undefined; file = queue.pop())
      for (const last of this.namedBy(file).map(lastPart))
        if (!found.has(last)) {
          found.add(last);
          queue.push(...(byLast.get(last) ?? []));
        }
    return found;
  }

  /** Folders out of which `..` leads on the way to one of `paths`: fs/sub where fs/sub/a.c has `#include "../x.h"`. */
  detours(paths: readonly string[], folders: ReadonlySet<string>): Set<string> {
    const found = new Set<string>();
    const reached = this.reach(paths, folders);
    const last = new Set([...reached].map(lastPart));
    for (const [file, name] of this.#upward)
      if (last.has(lastPart(name)))
        for (const from of [dirname(file), ...folders])
          if (reached.has(normalize(join(from, name))))
            for (const { index } of name.matchAll(/\.\.\//g)) found.add(normalize(join(from, name.slice(0, index), ".")));
    return found;
  }
}

/** @param changed new text by path: what changed files include counts too */
export async function includesOf(task: Task, target: Target, cache: string, changed: ReadonlyMap<string, string>): Promise<IncludeGraph> {
  // Few C files are included by others: where no header changed, their small list is enough.
  const kind = [...changed.keys()].every((path) => path.endsWith(".c")) ? "sources" : "all";
  const pathOf = (what: string): string => join(cache, `${keyOf(target, ["includes", what, VERSION])}.json`);
  const kept = await readKept(pathOf(kind), LINES);
  let lines: Line[];
  if (kept !== undefined) lines = kept;
  else {
    lines = await read(task, target);
    await keepJson(task, pathOf("all"), lines);
    await keepJson(
      task,
      pathOf("sources"),
      lines.filter(([, name]) => name.endsWith(".c") || OF_CONSTANTS.test(name)),
    );
  }
  for (const [file, text] of changed)
    for (const [, name = ""] of text.matchAll(/^[ \t]*#[ \t]*include[ \t]+[<"]([^>"\n]+)[>"]/gm)) lines.push([file, name]);
  return new IncludeGraph(lines);
}

async function read(task: Task, { tree, arch }: Target): Promise<Line[]> {
  const entries = await readdir(tree, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory() && !FOREIGN.has(entry.name)).map((entry) => entry.name);
  // Through links: a tree that somebody prepared is one of links.
  const argv = ["grep", "-REoI", "--include=*.[chS]", "--include=*.inc", INCLUDE, arch.kbuild.folder, ...folders.sort()];
  const { stdout } = await run(task, argv, { cwd: tree, accept: [1] });
  return stdout.split("\n").flatMap((line): Line[] => {
    const [, file, name] = /^([^:]+):.*[<"]([^>"]+)[>"]/.exec(line) ?? [];
    return file === undefined || name === undefined ? [] : [[file, name]];
  });
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function append<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
