/** Which changes of a report a fix is made of. */
import type { ReleaseUnit } from "@suture/protocol";
import type { CveRecord } from "./records/read.ts";

/** How they were found; see the account's schema. */
export type Tied = "commit" | "subject" | "files" | "none";

export interface Tie {
  tied: Tied;
  units: readonly ReleaseUnit[];
  /** That the fix touches, as far as it is known. */
  files: readonly string[];
}

/** A subject without what people write otherwise: tags in brackets, punctuation, spaces where a line was wrapped, letters' case. */
export function normalised(subject: string): string {
  let rest = subject;
  for (let tag = TAG.exec(rest); tag !== null; tag = TAG.exec(rest)) rest = rest.slice(tag[0].length);
  return rest.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "");
}

const TAG = /^\s*\[[^[\]]*\]/;

/** Debian moves `x86/` of a subject into a tag: it is looked for with and without. */
export function spellings(subject: string, prefixes: readonly string[] = []): string[] {
  return [...new Set([subject, ...prefixes.map((prefix) => `${prefix.replace(/\*$/, "")}/${subject}`)].map(normalised))].filter(
    (text) => text !== "",
  );
}

/** What a map holds under a key, several each. */
export class Lists<T> {
  readonly #lists = new Map<string, T[]>();

  add(key: string, value: T): void {
    const list = this.#lists.get(key);
    if (list === undefined) this.#lists.set(key, [value]);
    else if (list.at(-1) !== value) list.push(value);
  }

  of(key: string): readonly T[] {
    return this.#lists.get(key) ?? [];
  }
}

/** A report's units, by what fixes are known by. */
export class Units {
  readonly #byCommit = new Map<string, ReleaseUnit>();
  readonly #bySubject = new Lists<ReleaseUnit>();
  readonly #byFile = new Lists<ReleaseUnit>();
  readonly #filesByName = new Lists<string>();
  readonly #owners = new Map<string, string>();

  /** @param from commits have ids and subjects of their own, pieces of a difference have only files */
  constructor(units: readonly ReleaseUnit[], from: "packages" | "git") {
    for (const unit of units) {
      for (const { path } of unit.files) {
        if (this.#byFile.of(path).length === 0) this.#filesByName.add(nameOf(path), path);
        this.#byFile.add(path, unit);
      }
      for (const { object, owner } of unit.functions) if (owner !== "") this.#owners.set(object, owner);
      if (from !== "git") continue;
      if (unit.commit !== undefined) this.#byCommit.set(unit.commit, unit);
      this.#bySubject.add(normalised(unit.title), unit);
    }
  }

  /** By what tells most: commit, subject, files. */
  tie(subjects: readonly string[], records: readonly CveRecord[]): Tie {
    const commits = records.flatMap(({ fixed }) => fixed.flatMap(({ commit }) => this.#byCommit.get(commit ?? "") ?? []));
    if (commits.length > 0) return exactly("commit", commits);
    const named = subjects.flatMap((subject) => this.#bySubject.of(subject));
    if (named.length > 0) return exactly("subject", named);
    const files = [...new Set(records.flatMap((record) => record.files.map((file) => this.#hereOf(file))))].sort();
    if (files.length > 0) return { tied: "files", units: [...new Set(files.flatMap((file) => this.#byFile.of(file)))], files };
    return { tied: "none", units: [], files: [] };
  }

  /**
   * Records have the names that files have in the newest kernel. A file that lies otherwise here is known where one changed file alone has its
   * name, and lies in the same folders but for some more or fewer.
   */
  #hereOf(file: string): string {
    if (this.#byFile.of(file).length > 0 || !/\.[chS]$/.test(file)) return file;
    const [other, ...more] = this.#filesByName
      .of(nameOf(file))
      .filter((path) => isWithin(foldersOf(path), foldersOf(file)) || isWithin(foldersOf(file), foldersOf(path)));
    return other === undefined || more.length > 0 ? file : other;
  }

  /** As another unit that changes the object says. */
  ownerOf(object: string): string | undefined {
    return this.#owners.get(object);
  }

  touching(file: string): readonly ReleaseUnit[] {
    return this.#byFile.of(file);
  }
}

function exactly(tied: Tied, units: readonly ReleaseUnit[]): Tie {
  const own = [...new Set(units)];
  return { tied, units: own, files: [...new Set(own.flatMap((unit) => unit.files.map(({ path }) => path)))].sort() };
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function foldersOf(path: string): string[] {
  return path.split("/").slice(0, -1);
}

/** Whether these folders are those of the other path, in their order, with some between them. */
function isWithin(few: readonly string[], many: readonly string[]): boolean {
  let at = 0;
  for (const folder of many) if (few[at] === folder) at++;
  return few.length > 0 && at === few.length;
}
