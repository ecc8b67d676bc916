/**
 * New members of structures whose objects are alive, by somebody's word (--shadow): the fix's source is written anew, so that they lie beside the
 * objects. What comes out is a fix that leaves the structures as they are, and goes through all that every fix goes through.
 */
import type { KernelContext } from "@suture/kbuild";
import type { Manifest } from "@suture/protocol";
import type { Stage, Task } from "@suture/task";
import { createTwoFilesPatch } from "diff";
import { fail } from "../errors.ts";
import type { ChangedFile } from "../patch/apply.ts";
import { helpersOf } from "./generated.ts";
import { Inquiry } from "./inquiry.ts";
import { chosenMembers, definitionsIn, type NewMember, nameOf, withoutMembers } from "./members.ts";
import { BESIDE } from "./rules.ts";
import { edited, masked } from "./text.ts";
import { type Inserted, rewriteUses, type Site, type Use } from "./uses.ts";

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
  readonly #files: readonly ChangedFile[];
  readonly #members: readonly NewMember[];
  readonly #inquiry: Inquiry;
  /** As the fix has it; of files that it does not change, as the tree has it. */
  readonly #texts: ReadonlyMap<string, string>;

  private constructor(files: readonly ChangedFile[], members: readonly NewMember[], inquiry: Inquiry) {
    this.#files = files;
    this.#members = members;
    this.#inquiry = inquiry;
    this.#texts = inquiry.texts;
  }

  static async open(task: Task, kernel: KernelContext, files: readonly ChangedFile[], members: readonly NewMember[]): Promise<Rewriting> {
    return new Rewriting(files, members, await Inquiry.open(task, kernel, files, members, { rules: BESIDE, side: "after" }));
  }

  dispose(): Promise<void> {
    return this.#inquiry.dispose();
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
      const found = await this.#inquiry.objectsOf(file, type);
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

  #uses(): Promise<Map<string, Use[]>> {
    // On one line, so that others have their numbers.
    const inLine = (helpers: string): string =>
      ` ${helpers
        .replace(/\/\*.*?\*\//g, "")
        .replace(/\s+/g, " ")
        .trim()}`;
    const texts = new Map([...this.#texts.keys()].map((path) => [path, this.#withHelpers(path, this.#bare(path), inLine)]));
    return this.#inquiry.uses(this.#members, texts, (message) => this.#checkScalar(message));
  }
}
