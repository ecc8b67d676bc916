/** The objects that have to do with a structure, and what the compiler says of their source when it is asked. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { KernelContext, ObjectCommand, SourceView } from "@suture/kbuild";
import { run, type Task } from "@suture/task";
import { fail } from "../errors.ts";
import type { ChangedFile } from "../patch/apply.ts";
import { objectsReading } from "../reach/affected.ts";
import { type NewMember, nameOf, readOnly } from "./members.ts";
import { hidden, Objects } from "./objects.ts";
import { type Probed, probe, type Said } from "./probe.ts";
import type { Rules } from "./rules.ts";
import { masked } from "./text.ts";
import type { Use } from "./uses.ts";

export class Inquiry {
  readonly #task: Task;
  readonly #kernel: KernelContext;
  readonly #rules: Rules;
  readonly #view: SourceView;
  readonly #objects: ReadonlyMap<string, readonly ObjectCommand[]>;
  /** Of the files that may say something of the structures: those that were changed, and the sources of the objects. */
  readonly texts: ReadonlyMap<string, string>;
  readonly #read = new Map<string, string>();

  private constructor(
    task: Task,
    kernel: KernelContext,
    {
      rules,
      view,
      objects,
      texts,
    }: { rules: Rules; view: SourceView; objects: ReadonlyMap<string, readonly ObjectCommand[]>; texts: ReadonlyMap<string, string> },
  ) {
    this.#task = task;
    this.#kernel = kernel;
    this.#rules = rules;
    this.#view = view;
    this.#objects = objects;
    this.texts = texts;
  }

  /**
   * Dispose of it.
   * @param side the source as the fix has it, or as the kernel that runs was made of it
   */
  static async open(
    task: Task,
    kernel: KernelContext,
    files: readonly ChangedFile[],
    members: readonly NewMember[],
    { rules, side }: { rules: Rules; side: "before" | "after" },
  ): Promise<Inquiry> {
    const objects = new Map<string, readonly ObjectCommand[]>();
    for (const { file, type, line } of members) {
      if (objects.has(file)) continue;
      const found = await mayMake(task, kernel, type, await objectsReading(task, kernel, files, file), file);
      if (found.length > rules.most)
        throw fail(rules.code, `${found.length} objects have to do with it: any of them may make one`, {
          file: `${file}:${line}`,
          symbol: `struct ${type}`,
        });
      objects.set(file, found);
    }
    const texts = new Map<string, string>();
    for (const { path, before, after } of files) {
      const text = side === "after" ? after : before;
      if (text !== undefined && /\.[ch]$/.test(path)) texts.set(path, text);
    }
    for (const { source } of [...objects.values()].flat())
      if (!texts.has(source)) texts.set(source, await readFile(join(kernel.sourceRoot, source), "latin1"));
    const view = await kernel.changed(task, texts);
    return new Inquiry(task, kernel, { rules, view, objects, texts });
  }

  dispose(): Promise<void> {
    return this.#view.dispose();
  }

  /** @param texts in place of those that it has */
  async #probed(path: string, texts: ReadonlyMap<string, string>): Promise<Probed[]> {
    for (const [file, text] of this.texts) await this.#view.rewrite(file, texts.get(file) ?? text);
    const probed: Probed[] = [];
    for (const command of this.#objects.get(path) ?? []) probed.push(await probe(this.#task, command, this.#view));
    return probed;
  }

  /** Where objects of a structure begin and end. @param file that defines it. @throws BUILD_SHADOW_OBJECT, BUILD_HOLE */
  async objectsOf(file: string, type: string): Promise<Objects> {
    const commands = this.#objects.get(file) ?? [];
    const own = new Map(
      [...this.texts].filter(([path]) => path === file || /\.h$/.test(path) || commands.some(({ source }) => source === path)),
    );
    const found = new Objects(
      type,
      own,
      commands.some(({ owner }) => owner !== "vmlinux"),
      this.#rules,
    );
    const text = this.texts.get(file) ?? "";
    const away = new Map([[file, hidden(text, type, file, this.#rules)]]);
    const inputs = new Set<string>();
    for (const { said, inputs: read } of await this.#probed(file, away)) {
      for (const path of read) inputs.add(path);
      const texts = new Map<string, string>();
      for (const { file: path } of said.flatMap((one) => [one, ...one.through]))
        texts.set(path, away.get(path) ?? (await this.#textOf(path)));
      found.hiddenUses(said, (path) => texts.get(path) ?? "");
    }
    for (const path of inputs) found.casts(path, await this.#textOf(path));
    // What no object that was looked at reads may make one all the same.
    if (!file.endsWith(".c"))
      for (const path of (await headersNaming(this.#task, this.#kernel, type)).files)
        if (!inputs.has(path)) found.unread(path, await this.#textOf(path));
    // Columns in a file that asks are not those of the file: conversions are told of it as it is.
    for (const { said } of await this.#probed(file, new Map())) found.conversions(checkSound(said, file));
    const asking = new Map([...own.keys()].map((path) => [path, found.asking(path)]));
    asking.set(file, readOnly(asking.get(file) ?? text, type));
    for (const { said } of await this.#probed(file, asking)) found.answers(said);
    return found;
  }

  async #textOf(path: string): Promise<string> {
    const known =
      this.texts.get(path) ?? this.#read.get(path) ?? (await readFile(join(this.#kernel.sourceRoot, path), "latin1").catch(() => ""));
    this.#read.set(path, known);
    return known;
  }

  /**
   * Where members are used, by file.
   * @param bare texts without them. @param look at all else that the compiler says. @throws BUILD_SHADOW_USE, BUILD_HOLE
   */
  async uses(
    members: readonly NewMember[],
    bare: ReadonlyMap<string, string>,
    look: (message: string) => void = () => {},
  ): Promise<Map<string, Use[]>> {
    const uses = new Map<string, Use[]>();
    for (const path of this.#objects.keys())
      for (const { said } of await this.#probed(path, bare))
        for (const { kind, message, file, line, column } of said) {
          look(message);
          const [, type, name] = /'(?:(?:const|volatile) )*struct (\w+)' has no member named '(\w+)'/.exec(message) ?? [];
          const member = members.find((one) => one.type === type && one.name === name);
          if (kind !== "error" || member === undefined) continue;
          if (!this.texts.has(file))
            throw fail(this.#rules.use, "it is used by way of a macro of a file that the fix does not change", {
              file: `${file}:${line}`,
              symbol: nameOf(member),
            });
          uses.set(file, [...(uses.get(file) ?? []), { member, line, column }]);
        }
    return uses;
  }
}

/** What does not compile cannot be asked. @throws BUILD_COMPILE */
function checkSound(said: readonly Said[], file: string): readonly Said[] {
  const error = said.find(({ kind }) => kind === "error");
  if (error !== undefined) throw fail("BUILD_COMPILE", `${error.file}:${error.line}: ${error.message}`, { file });
  return said;
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
