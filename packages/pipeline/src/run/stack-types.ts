/**
 * Structures whose layout a fix changes and whose objects live on stacks only (docs/means.md): all functions whose code knows such a one are replaced, those
 * that are the same by themselves. A task moves over when none of them is on its stack; then it has no such object.
 */
import { parseInlined } from "@suture/authored";
import type { Delta } from "@suture/diff";
import type { ElfObject } from "@suture/elf";
import { type KernelContext, type ObjectCommand, preprocess, type SourceView, saidOf } from "@suture/kbuild";
import type { Task } from "@suture/task";
import { isAccepted, isTaken, layoutDifferences, type OnStacks, otherLayout, stackOnly, typeGrounds } from "@suture/types";
import type { BuiltObjects } from "./built-objects.ts";

/** More objects that may know a structure are not looked at: each is compiled twice more. */
const MOST = 24;

export interface StackType {
  object: string;
  owner: string;
  type: string;
  /** How it differs. */
  why: string;
  /** The functions whose code knows it, all of which are replaced. */
  functions: string[];
}

interface Holders {
  before: readonly string[];
  after: readonly string[];
  /** Those of `after` whose address is not only called. */
  taken: ReadonlySet<string>;
}

/** Structures that differ and that nobody has accepted. */
function differing(before: ElfObject, after: ElfObject, accepted: ReadonlySet<string>): Map<string, string> {
  return new Map([...layoutDifferences(before, after)].filter(([name]) => !isAccepted(accepted, name)));
}

/** Structures of one object that may live on stacks only, as far as its types tell: what of them has to be looked at. */
export function candidatesIn(
  before: ElfObject,
  after: ElfObject,
  accepted: ReadonlySet<string>,
): { names: string[]; ground: string | undefined } {
  const names = [...differing(before, after, accepted).keys()];
  if (names.length === 0) return { names, ground: undefined };
  const tags = new Set(names);
  return { names, ground: [...typeGrounds(before, tags), ...typeGrounds(after, tags)][0] };
}

export class StackTypes implements OnStacks {
  /** How each lies otherwise. */
  readonly #types: ReadonlyMap<string, string>;
  readonly #holders: ReadonlyMap<string, Holders>;
  readonly ground: string | undefined;

  private constructor(types: ReadonlyMap<string, string>, holders: ReadonlyMap<string, Holders>, ground: string | undefined) {
    this.#types = types;
    this.#holders = holders;
    this.ground = ground;
  }

  static readonly none = new StackTypes(new Map(), new Map(), undefined);

  /** Of all objects that a fix affects: whoever knows a structure that it changes is one of them. @throws BUILD_VIEW */
  static async of(
    task: Task,
    kernel: KernelContext,
    built: BuiltObjects,
    { view, accepted }: { view: SourceView; accepted: ReadonlySet<string> },
  ): Promise<StackTypes> {
    const types = new Map<string, string>();
    for (const command of built.commands.filter((one) => built.isChanged(one))) {
      const { before, after } = await built.elves(command);
      for (const [name, why] of differing(before, after, accepted)) types.set(name, why);
    }
    if (types.size === 0) return StackTypes.none;
    return task.stage("stacks", async (stage) => {
      const tags = new Set(types.keys());
      const no = (ground: string): StackTypes => {
        stage.result(ground);
        return new StackTypes(new Map(), new Map(), ground);
      };
      const commands = built.commands.filter((one) => built.isChanged(one));
      for (const command of commands) {
        const { before, after } = await built.elves(command);
        const [ground] = [...typeGrounds(before, tags), ...typeGrounds(after, tags)];
        if (ground !== undefined) return no(ground);
      }
      if (commands.length > MOST) return no(`${commands.length} objects may know it`);
      const holders = new Map<string, Holders>();
      let owned = false;
      for (const [done, command] of commands.entries()) {
        stage.note(command.object);
        stage.progress(done, commands.length, "objects");
        const found = await held(task, kernel, built, { command, view, tags });
        if ("ground" in found) return no(found.ground);
        holders.set(command.object, found);
        owned ||= found.owned;
      }
      if (!owned) return no(`no function has one of ${[...tags].join(", ")} as a variable of its own`);
      const names = [...new Set([...holders.values()].flatMap(({ before }) => before))];
      stage.result(`${[...tags].join(", ")}: on the stacks of ${names.join(", ")} only`);
      return new StackTypes(types, holders, undefined);
    });
  }

  has(name: string): boolean {
    return this.#types.has(name);
  }

  /** Functions that are replaced whether they differ or not. */
  isHolder(object: string, name: string): boolean {
    return this.#holders.get(object)?.before.includes(name) === true;
  }

  /** Whether the livepatch replaces all that it must. @throws BUILD_LAYOUT */
  check(object: string, { functions, added, notTaken }: Delta): void {
    const holders = this.#holders.get(object);
    if (holders === undefined) return;
    const originals = new Set(functions.map(({ original }) => original.name));
    const patched = new Set(functions.map(({ symbol }) => symbol.name));
    const refuse = (name: string, why: string) =>
      otherLayout(
        `${[...this.#types].map(([type, how]) => `${type} ${how}`).join("; ")}, and ${name} knows it and is not replaced: ${why}`,
        { file: object, symbol: name },
      );
    for (const name of holders.before)
      if (!originals.has(name))
        throw refuse(name, notTaken.find((one) => one.name === name)?.why ?? "it has no entry of its own that can be redirected");
    for (const name of holders.after) {
      if (patched.has(name) || functions.some((one) => one.name === name)) continue;
      if (!added.some((one) => one.kind === "function" && one.name === name))
        throw refuse(name, "in the fix it is no function that replaces one");
      if (holders.taken.has(name)) throw refuse(name, "it is new, and its address is taken");
    }
  }

  recordsOf(object: string, owner: string): StackType[] {
    const holders = this.#holders.get(object);
    if (holders === undefined || holders.before.length === 0) return [];
    return [...this.#types].map(([type, why]) => ({ object, owner, type, why, functions: [...holders.before] }));
  }
}

async function held(
  task: Task,
  kernel: KernelContext,
  built: BuiltObjects,
  { command, view, tags }: { command: ObjectCommand; view: SourceView; tags: ReadonlySet<string> },
): Promise<(Holders & { owned: boolean }) | { ground: string }> {
  const { before, after } = await built.elves(command);
  const { exports } = kernel.symbolSources.kernel;
  const sides = [
    { elf: before, from: kernel.original },
    { elf: after, from: view },
  ];
  const found: { holders: string[]; owns: boolean; functions: string }[] = [];
  for (const { elf, from } of sides) {
    const said = await saidOf(task, command, from);
    const text = await preprocess(task, command, from);
    if (said === undefined || text === undefined) return { ground: `the compiler does not say what the functions of ${command.object} do` };
    const one = stackOnly({ elf, functions: said.functions, inlined: parseInlined(said.inlined), text }, tags, (name) => exports.has(name));
    if (one.grounds[0] !== undefined) return { ground: `${command.object}: ${one.grounds.slice(0, 3).join("; ")}` };
    found.push({ ...one, functions: said.functions });
  }
  const [old, now] = found as [(typeof found)[0], (typeof found)[0]];
  return {
    before: old.holders,
    after: now.holders,
    taken: new Set(now.holders.filter((name) => isTaken(after, now.functions, name))),
    owned: old.owns || now.owns,
  };
}

export function stackNotes(types: readonly StackType[]): string[] {
  return types.map(
    ({ type, why, functions }) =>
      `${type} ${why}; it lives on the stacks of ${functions.join(", ")} only, all of which are replaced, so that no task has an old one when it moves over`,
  );
}
