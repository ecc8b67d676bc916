/**
 * New members of structures whose objects are alive, by somebody's word (--shadow): the fix's source is written anew, so that they lie beside the
 * objects. What comes out is a fix that leaves the structures as they are, and goes through all that every fix goes through.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { KernelContext, ObjectCommand, SourceView } from "@suture/kbuild";
import type { Manifest } from "@suture/protocol";
import { run, type Stage, type Task } from "@suture/task";
import { createTwoFilesPatch } from "diff";
import { fail } from "../errors.ts";
import type { ChangedFile } from "../patch/apply.ts";
import { objectsReading } from "../reach/affected.ts";
import { helpersOf } from "./generated.ts";
import { chosenMembers, definitionsIn, type NewMember, nameOf, readOnly, withoutMembers } from "./members.ts";
import { hidden, Objects } from "./objects.ts";
import { type Probed, probe, type Said } from "./probe.ts";
import { edited, masked } from "./text.ts";
import { type Inserted, rewriteUses, type Site, type Use } from "./uses.ts";

/** Of those that know the structure each is looked at four times. */
const MOST = 48;

export type CarriedMember = NonNullable<Manifest["members"]>[number];

export interface Carried {
  files: readonly ChangedFile[];
  members: CarriedMember[];
  /** How the fix's source was written anew, as a diff. */
  source: string;
  notes: { object: string; text: string }[];
}

/**
 * @param names TYPE.MEMBER each, or `all`
 * @throws BUILD_SHADOW_MEMBER, BUILD_SHADOW_USE, BUILD_SHADOW_OBJECT
 */
export async function carryMembers(
  task: Task,
  kernel: KernelContext,
  files: readonly ChangedFile[],
  names: ReadonlySet<string>,
): Promise<Carried> {
  const members = chosenMembers(files, names);
  if (members.length === 0) return { files, members: [], source: "", notes: [] };
  return task.stage("members", async (stage) => {
    checkKernel(kernel, members);
    const run = await Rewriting.open(task, kernel, files, members);
    try {
      const carried = await run.run(stage);
      stage.result(`${members.map(nameOf).join(", ")}: ${carried.members.reduce((sum, { sites }) => sum + sites.length, 0)} places`);
      return carried;
    } finally {
      await run.dispose();
    }
  });
}

/** The lock of the shadow variables may be taken wherever the kernel runs, but for kernels in which locks sleep. */
function checkKernel(kernel: KernelContext, [member]: readonly NewMember[]): void {
  if (member === undefined) return;
  const where = { file: `${member.file}:${member.line}`, symbol: nameOf(member) };
  if (kernel.config.enabled("CONFIG_PREEMPT_RT"))
    throw fail("BUILD_SHADOW_MEMBER", "in this kernel locks sleep, and a member may be written where none may", where);
}

class Rewriting {
  readonly #task: Task;
  readonly #files: readonly ChangedFile[];
  readonly #members: readonly NewMember[];
  readonly #view: SourceView;
  readonly #objects: ReadonlyMap<string, readonly ObjectCommand[]>;
  /** As the fix has it; of files that it does not change, as the tree has it. */
  readonly #texts: ReadonlyMap<string, string>;
  readonly #kernel: KernelContext;
  readonly #read = new Map<string, string>();

  private constructor(
    task: Task,
    kernel: KernelContext,
    {
      files,
      members,
      view,
      objects,
      texts,
    }: {
      files: readonly ChangedFile[];
      members: readonly NewMember[];
      view: SourceView;
      objects: ReadonlyMap<string, readonly ObjectCommand[]>;
      texts: ReadonlyMap<string, string>;
    },
  ) {
    this.#task = task;
    this.#files = files;
    this.#members = members;
    this.#view = view;
    this.#objects = objects;
    this.#texts = texts;
    this.#kernel = kernel;
  }

  static async open(task: Task, kernel: KernelContext, files: readonly ChangedFile[], members: readonly NewMember[]): Promise<Rewriting> {
    const objects = new Map<string, readonly ObjectCommand[]>();
    for (const { file, type, line } of members) {
      if (objects.has(file)) continue;
      const found = await mayMake(task, kernel, type, await objectsReading(task, kernel, files, file), file);
      if (found.length > MOST)
        throw fail("BUILD_SHADOW_OBJECT", `${found.length} objects have to do with it: any of them may make one`, {
          file: `${file}:${line}`,
          symbol: `struct ${type}`,
        });
      objects.set(file, found);
    }
    const texts = new Map(files.filter(({ path }) => /\.[ch]$/.test(path)).map(({ path, after }) => [path, after]));
    for (const { source } of [...objects.values()].flat())
      if (!texts.has(source)) texts.set(source, await readFile(join(kernel.sourceRoot, source), "latin1"));
    const view = await kernel.changed(task, texts);
    return new Rewriting(task, kernel, { files, members, view, objects, texts });
  }

  dispose(): Promise<void> {
    return this.#view.dispose();
  }

  async run(stage: Stage): Promise<Carried> {
    const byType = new Map<string, NewMember>();
    for (const member of this.#members) byType.set(`${member.file} ${member.type}`, member);
    stage.note("uses of the members");
    const uses = await this.#uses();
    const texts = new Map(this.#texts);
    const sites: Site[] = [];
    const notes: Carried["notes"] = [];
    const inserted = new Map<string, Inserted[]>();
    for (const { file, type } of byType.values()) {
      stage.note(`struct ${type}`);
      const found = await this.#objectsOf(file, type);
      found.constructed([...uses].flatMap(([path, own]) => own.map(({ line }) => ({ file: path, line }))));
      const made = found.inserted();
      for (const [path, own] of made.inserted) inserted.set(path, [...(inserted.get(path) ?? []), ...own]);
      sites.push(...made.sites);
      if (found.untyped.length > 0)
        notes.push({
          object: file,
          text: `where ${found.untyped.join(", ")} frees memory without its type and that is a struct ${type}, what lies beside it stays until the livepatch goes or the memory is one again`,
        });
    }
    for (const path of this.#texts.keys()) {
      const { text: rewritten, sites: places } = rewriteUses(path, this.#bare(path), uses.get(path) ?? [], inserted.get(path) ?? []);
      sites.push(...places);
      texts.set(
        path,
        this.#withHelpers(path, rewritten, (helpers) => helpers),
      );
    }
    return this.#carried(texts, sites, notes);
  }

  /** Without the members, with the lines where they were. */
  #bare(path: string): string {
    return withoutMembers(
      this.#texts.get(path) ?? "",
      this.#members.filter(({ file }) => file === path),
    );
  }

  #withHelpers(path: string, text: string, form: (helpers: string) => string): string {
    const own = this.#members.filter(({ file }) => file === path);
    let out = text;
    for (const type of new Set(own.map((member) => member.type))) {
      const definition = definitionsIn(masked(out)).find((one) => one.type === type);
      if (definition === undefined) continue;
      const helpers = helpersOf(
        type,
        own.filter((member) => member.type === type),
      );
      out = edited(out, [{ start: definition.end, end: definition.end, text: form(helpers) }]);
    }
    return out;
  }

  #carried(texts: ReadonlyMap<string, string>, sites: readonly Site[], notes: Carried["notes"]): Carried {
    const known = new Map(this.#files.map((file) => [file.path, file]));
    const files = [...known.values()].map((file) => ({ ...file, after: texts.get(file.path) ?? file.after }));
    for (const [path, text] of texts) {
      const before = this.#texts.get(path);
      if (!known.has(path) && text !== before) files.push({ path, before, after: text });
    }
    const source = [...texts]
      .flatMap(([path, text]) => {
        const before = this.#texts.get(path) ?? "";
        return text === before
          ? []
          : [createTwoFilesPatch(`a/${path}`, `b/${path}`, before, text, undefined, undefined, { context: 3 }).replace(/^=+\n/, "")];
      })
      .join("");
    const members = this.#members.map((member) => ({
      type: member.type,
      name: member.name,
      file: member.file,
      declaration: member.declaration.replace(/\s+/g, " ").trim(),
      state: member.id,
      sites: sites
        .filter(({ of }) => of === nameOf(member) || of === `struct ${member.type}`)
        .map(({ file, line, what }) => ({ file, line, what })),
    }));
    return { files: files.sort((a, b) => (a.path < b.path ? -1 : 1)), members, source, notes };
  }

  async #probed(path: string, texts: ReadonlyMap<string, string>): Promise<Probed[]> {
    for (const [file, text] of this.#texts) await this.#view.rewrite(file, texts.get(file) ?? text);
    const probed: Probed[] = [];
    for (const command of this.#objects.get(path) ?? []) probed.push(await probe(this.#task, command, this.#view));
    return probed;
  }

  async #objectsOf(file: string, type: string): Promise<Objects> {
    const commands = this.#objects.get(file) ?? [];
    const own = new Map(
      [...this.#texts].filter(([path]) => path === file || /\.h$/.test(path) || commands.some(({ source }) => source === path)),
    );
    const found = new Objects(
      type,
      own,
      commands.some(({ owner }) => owner !== "vmlinux"),
    );
    const text = this.#texts.get(file) ?? "";
    const away = new Map([[file, hidden(text, type, file)]]);
    const inputs = new Set<string>();
    for (const { said, inputs: read } of await this.#probed(file, away)) {
      for (const path of read) inputs.add(path);
      const texts = new Map<string, string>();
      for (const one of said) texts.set(one.file, away.get(one.file) ?? (await this.#textOf(one.file)));
      found.hiddenUses(said, (path) => texts.get(path) ?? "");
    }
    for (const path of inputs) found.casts(path, await this.#textOf(path));
    // What no object that was looked at reads may make one all the same.
    if (!file.endsWith(".c"))
      for (const path of (await headersNaming(this.#task, this.#kernel, type)).files)
        if (!inputs.has(path)) found.unread(path, await this.#textOf(path));
    // Columns in a file that asks are not those of the file: conversions are told of it as it is.
    for (const { said } of await this.#probed(file, new Map())) found.conversions(this.#checkSound(said, file));
    const asking = new Map([...own.keys()].map((path) => [path, found.asking(path)]));
    asking.set(file, readOnly(asking.get(file) ?? text, type));
    for (const { said } of await this.#probed(file, asking)) found.answers(said);
    return found;
  }

  /** @throws BUILD_SHADOW_MEMBER */
  #checkScalar(message: string): void {
    const name = /static assertion failed: "suture:scalar:(\w+)"/.exec(message)?.[1];
    const member = this.#members.find((one) => nameOf(one) === name?.replace("__", "."));
    if (name === undefined) return;
    const { file, line, declaration } = member ?? { file: "", line: 0, declaration: name };
    throw fail("BUILD_SHADOW_MEMBER", `${declaration.replace(/\s+/g, " ").trim()}: it has more than one value`, {
      file: `${file}:${line}`,
      symbol: member === undefined ? name : nameOf(member),
    });
  }

  /** What does not compile cannot be asked. @throws BUILD_COMPILE */
  #checkSound(said: readonly Said[], file: string): readonly Said[] {
    const error = said.find(({ kind }) => kind === "error");
    if (error !== undefined) throw fail("BUILD_COMPILE", `${error.file}:${error.line}: ${error.message}`, { file });
    return said;
  }

  async #textOf(path: string): Promise<string> {
    const known =
      this.#texts.get(path) ?? this.#read.get(path) ?? (await readFile(join(this.#kernel.sourceRoot, path), "latin1").catch(() => ""));
    this.#read.set(path, known);
    return known;
  }

  async #uses(): Promise<Map<string, Use[]>> {
    // On one line, so that others have their numbers.
    const inLine = (helpers: string): string =>
      ` ${helpers
        .replace(/\/\*.*?\*\//g, "")
        .replace(/\s+/g, " ")
        .trim()}`;
    const texts = new Map([...this.#texts.keys()].map((path) => [path, this.#withHelpers(path, this.#bare(path), inLine)]));
    const uses = new Map<string, Use[]>();
    for (const path of this.#objects.keys())
      for (const { said } of await this.#probed(path, texts))
        for (const { kind, message, file, line, column } of said) {
          this.#checkScalar(message);
          const [, type, name] = /'(?:(?:const|volatile) )*struct (\w+)' has no member named '(\w+)'/.exec(message) ?? [];
          const member = this.#members.find((one) => one.type === type && one.name === name);
          if (kind !== "error" || member === undefined) continue;
          if (!this.#texts.has(file))
            throw fail("BUILD_SHADOW_USE", "it is used by way of a macro of a file that the fix does not change", {
              file: `${file}:${line}`,
              symbol: nameOf(member),
            });
          uses.set(file, [...(uses.get(file) ?? []), { member, line, column }]);
        }
    return uses;
  }
}

/**
 * Of the objects that know a structure, those whose sources name it, or ask for the size of what a name leads to that is declared as a pointer to one.
 * Others have no way to make one but by what headers give them, which are looked at with these.
 */
async function mayMake(
  task: Task,
  kernel: KernelContext,
  type: string,
  objects: readonly ObjectCommand[],
  file: string,
): Promise<ObjectCommand[]> {
  if (file.endsWith(".c")) return [...objects];
  const texts = new Map<string, string>();
  for (const { source } of objects)
    if (!texts.has(source)) texts.set(source, masked(await readFile(join(kernel.sourceRoot, source), "latin1").catch(() => "")));
  const tag = new RegExp(`\\bstruct\\s+${type}\\b`);
  const names = new Set<string>();
  for (const text of [...texts.values(), (await headersNaming(task, kernel, type)).lines])
    for (const [, name = ""] of text.matchAll(new RegExp(`\\bstruct\\s+${type}\\s*\\*+\\s*(?:__\\w+\\s+)*(\\w+)`, "g"))) names.add(name);
  const asks = (text: string): boolean =>
    [...text.matchAll(/\bsizeof\s*\(?\s*\*[^();]*?(\w+)\s*\)/g)].some(([, name = ""]) => names.has(name));
  return objects.filter(({ source }) => {
    const text = texts.get(source) ?? "";
    return source === file || tag.test(text) || asks(text);
  });
}

/** The headers of the tree that name a structure, and the lines that do. */
async function headersNaming(task: Task, kernel: KernelContext, type: string): Promise<{ files: string[]; lines: string }> {
  const pattern = `\\bstruct[[:space:]]+${type}\\b`;
  const { stdout } = await run(task, ["grep", "-rE", "--include=*.h", "-e", pattern, "."], { cwd: kernel.sourceRoot, accept: [1, 2] });
  const rows = stdout.split("\n").flatMap((row) => {
    const at = row.indexOf(":");
    return at < 0 ? [] : [{ file: row.slice(2, at), line: row.slice(at + 1) }];
  });
  return { files: [...new Set(rows.map(({ file }) => file))], lines: rows.map(({ line }) => line).join("\n") };
}
