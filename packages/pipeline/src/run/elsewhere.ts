/**
 * Names and state that go from one object to another: a function or variable that a fix moves between files, a strong definition beside the kernel's
 * weak one, a second definition. What the running kernel has stays the one that all use, or is replaced for all of them.
 */

import { definedIn, type Found, hasEntry, holdPrototypes, holdVariables, Originals, typesOf } from "@suture/authored";
import { type Elsewhere, type Variable, variablesOf } from "@suture/diff";
import { type ElfObject, type ElfSymbol, isSection, readElf, SHF, STB, STT } from "@suture/elf";
import type { KernelContext, SourceView } from "@suture/kbuild";
import { compile, diffOptions, locator } from "@suture/kbuild";
import type { Owner, Place } from "@suture/livepatch";
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";
import type { Compiled } from "./compile-objects.ts";

export interface Moves {
  /** For the differ, by object. */
  of(object: string): ReadonlyMap<string, Elsewhere>;
  /** Of the symbols that those name. */
  place(symbol: ElfSymbol): Place | undefined;
  /** By object, for people. */
  notes: ReadonlyMap<string, readonly string[]>;
}

/** An object with what it defines, before and after. */
interface Side {
  compiled: Compiled;
  after: ElfObject;
  before: Map<string, ElfSymbol>;
  now: Map<string, ElfSymbol>;
}

/** @throws BUILD_DEFINED_TWICE, BUILD_MOVED */
export async function movesBetween(
  task: Task,
  kernel: KernelContext,
  compiled: readonly Compiled[],
  options: { view: SourceView; unproven: boolean },
): Promise<Moves> {
  const changed = compiled.filter(({ original, patched }) => patched !== original.bytes);
  const sides = changed.map((one): Side => {
    const after = readElf(one.patched, one.command.object);
    return { compiled: one, after, before: definitions(one.original.elf), now: definitions(after) };
  });
  const found = new Finder(task, kernel, sides, options);
  for (const owner of new Set(changed.map(({ command }) => command.owner))) {
    if (owner !== "vmlinux") await kernel.module(task, owner);
    const own = sides.filter(({ compiled: { command } }) => command.owner === owner);
    for (const side of own) await found.globals(side, own);
    if (own.length > 1) found.state(own);
  }
  return found.moves;
}

/** What an object defines for others. */
function definitions({ symbols }: ElfObject): Map<string, ElfSymbol> {
  const isMeant = ({ bind, type, place, name }: ElfSymbol): boolean =>
    bind !== STB.LOCAL &&
    (type === STT.FUNC || type === STT.OBJECT) &&
    isSection(place) &&
    (place.flags & SHF.ALLOC) !== 0 &&
    !/^__(pfx|cfi|ksymtab|kstrtab|kstrtabns|crc)_/.test(name);
  return new Map(symbols.filter(isMeant).map((symbol) => [symbol.name, symbol]));
}

class Finder {
  readonly #task: Task;
  readonly #kernel: KernelContext;
  readonly #sides: readonly Side[];
  readonly #view: SourceView;
  readonly #originals: Originals;
  readonly #shared = new Map<string, Map<string, Elsewhere>>();
  readonly #own = new Map<string, Map<string, Elsewhere>>();
  readonly #places = new Map<ElfSymbol, Place>();
  readonly #notes = new Map<string, string[]>();
  readonly #typed = new Map<string, ElfObject>();

  constructor(task: Task, kernel: KernelContext, sides: readonly Side[], { view, unproven }: { view: SourceView; unproven: boolean }) {
    this.#task = task;
    this.#kernel = kernel;
    this.#sides = sides;
    this.#view = view;
    this.#originals = new Originals(task, kernel, unproven);
  }

  get moves(): Moves {
    const owners = new Map(this.#sides.map(({ compiled: { command } }) => [command.object, command.owner]));
    const none = new Map<string, Elsewhere>();
    return {
      of: (object) => {
        const shared = this.#shared.get(owners.get(object) ?? "") ?? none;
        const own = this.#own.get(object) ?? none;
        return own.size === 0 ? shared : new Map([...shared, ...own]);
      },
      place: (symbol) => this.#places.get(symbol),
      notes: this.#notes,
    };
  }

  /** Global names that an object did not define before. */
  async globals(side: Side, own: readonly Side[]): Promise<void> {
    const { command, original } = side.compiled;
    const owner = this.#kernel.owner(command.owner);
    const known = new Set(original.elf.symbols.filter(({ place }) => isSection(place)).map(({ name }) => name));
    for (const [name, symbol] of side.now) {
      if (known.has(name)) continue;
      const where = { file: command.object, symbol: name };
      const twin = own.find((other) => other !== side && !other.before.has(name) && other.now.has(name));
      if (twin !== undefined)
        throw fail(
          "BUILD_DEFINED_TWICE",
          `${twin.compiled.command.object} gets a new ${name} too, and both are linked into ${owner.name}`,
          where,
        );
      this.#checkParts(name, owner, where);
      if (owner.global(name, command.object) === undefined) continue;
      const found = await this.#definer(side, own, name);
      await this.#meet(side, symbol, found);
    }
  }

  /** Names that another part of the kernel gives to all. */
  #checkParts(name: string, owner: Owner, where: { file: string; symbol: string }): void {
    const { exports } = this.#kernel.world.kernel;
    const exported = exports.get(name)?.module;
    const inKernel = owner.name !== "vmlinux" && this.#kernel.world.vmlinux.global(name, where.file) !== undefined;
    if (inKernel) throw fail("BUILD_DEFINED_TWICE", `vmlinux has a ${name}, and the fix gives ${owner.name} one of its own`, where);
    if (exported === undefined || exported === owner.name) return;
    if (exported.slice(exported.lastIndexOf("/") + 1).replaceAll("-", "_") === owner.name) return;
    throw fail("BUILD_DEFINED_TWICE", `${exported} exports a ${name}, and the fix gives ${owner.name} one of its own`, where);
  }

  /** The object that defines what the kernel runs under the name: gone from there in the fix, or weak. */
  async #definer(side: Side, own: readonly Side[], name: string): Promise<Found> {
    const { command } = side.compiled;
    const where = { file: command.object, symbol: name };
    const inFix = own.find((other) => other !== side && other.before.has(name));
    const objects = inFix === undefined ? await definedIn(this.#task, this.#kernel, command.owner, name) : [inFix.compiled.command.object];
    const others = objects.filter((object) => object !== command.object);
    const [object] = others;
    if (object === undefined || others.length > 1)
      throw fail(
        "BUILD_MOVED",
        `the kernel has a ${name}, and ${object === undefined ? "no C file seems to define it" : `it may be that of ${others.join(", ")}`}`,
        where,
      );
    const opened = await this.#originals.open(object);
    const symbol = definitions(opened.elf).get(name);
    if (symbol === undefined)
      throw fail("BUILD_MOVED", `the kernel has a ${name}, and ${object} does not define it as it is compiled`, where);
    const isWeak = side.now.get(name)?.bind === STB.WEAK;
    const stays = inFix === undefined ? symbol : inFix.now.get(name);
    if (stays !== undefined && stays.bind !== STB.WEAK && !isWeak)
      throw fail("BUILD_DEFINED_TWICE", `${object} defines it too, and both are linked into ${command.owner}`, where);
    const place = locator(opened.proof, this.#kernel.owner(command.owner))(symbol);
    return { original: opened, symbol, place };
  }

  /** A definition of the fix meets the kernel's. */
  async #meet(side: Side, symbol: ElfSymbol, { original, symbol: old, place }: Found): Promise<void> {
    const { object, owner } = side.compiled.command;
    const { name } = symbol;
    const from = original.command.object;
    const where = { file: object, symbol: name };
    if (symbol.type !== old.type)
      throw fail("BUILD_MOVED", `it is a function in one of ${from} and ${object}, and a variable in the other`, where);
    const replace = symbol.type === STT.FUNC && symbol.bind !== STB.WEAK;
    if (replace) {
      if (!hasEntry(original.elf, old))
        throw fail("BUILD_MOVED", `the kernel's ${name} of ${from} has no ftrace entry, so that its other callers would keep it`, where);
      const [before, after] = [typesOf(original.elf)?.prototype(name), typesOf(await this.#withTypes(side))?.prototype(name)];
      if (before === undefined || after === undefined)
        throw fail("BUILD_MOVED", `the types of ${name} in ${from} and ${object} cannot be compared`, where);
      holdPrototypes({ at: object, old: name, own: name }, before, after);
      this.#note(object, `${name} takes the place of the kernel's, which ${from} defines, for all who call it`);
    } else if (symbol.type === STT.OBJECT) {
      const [before] = this.#variables(original.elf, side, (one) => one.symbol === old);
      const [after] = this.#variables(side.after, side, (one) => one.symbol === symbol);
      if (before === undefined || after === undefined)
        throw fail("BUILD_MOVED", `what ${name} holds cannot be compared with that of ${from}`, where);
      checkSame(before, after, from, where);
      const types = typesOf(await this.#withTypes(side))?.variable(name);
      holdVariables({ at: object, old: name, own: name }, typesOf(original.elf)?.variable(name), types);
      this.#note(object, `${name} is the kernel's, which ${from} defines`);
    }
    this.#places.set(old, place);
    this.#set(this.#shared, owner, name, { symbol: old, replace });
  }

  /** Variables that one object of a part loses and another gets: of one name, or used by functions of one name. */
  state(own: readonly Side[]): void {
    const lost = own.flatMap((side) => this.#between(side.compiled.original.elf, side.after, side).map((variable) => ({ side, variable })));
    if (lost.length === 0) return;
    for (const side of own) {
      const { command } = side.compiled;
      const known = this.#shared.get(command.owner);
      for (const variable of this.#between(side.after, side.compiled.original.elf, side)) {
        if (known?.has(variable.symbol.name) === true) continue;
        const others = lost.filter((one) => one.side !== side && known?.has(one.variable.symbol.name) !== true);
        const shares = ({ variable: { users } }: (typeof lost)[number]): boolean => [...variable.users].some((name) => users.has(name));
        const alike = ({ variable: { size, home } }: (typeof lost)[number]): boolean => size === variable.size && home === variable.home;
        const named = others.filter((one) => one.variable.name === variable.name && (shares(one) || alike(one)));
        const [twin] = named;
        const where = { file: command.object, symbol: variable.symbol.name };
        if (twin === undefined) {
          const rival = others.find((one) => alike(one) && shares(one));
          if (rival !== undefined)
            throw fail(
              "BUILD_MOVED",
              `${rival.variable.symbol.name} of ${rival.side.compiled.command.object} is gone, and what used it uses the new ${variable.symbol.name} here: it could be the same variable`,
              where,
            );
          continue;
        }
        const from = twin.side.compiled.command.object;
        if (named.length > 1 || !shares(twin))
          throw fail(
            "BUILD_MOVED",
            `${variable.name} is new here, and ${named.length > 1 ? "several objects" : from} lost one of that name`,
            where,
          );
        checkSame(twin.variable, variable, from, where);
        const { symbol } = twin.variable;
        this.#places.set(symbol, locator(twin.side.compiled.proof, this.#kernel.owner(command.owner))(symbol));
        // A name that other objects can use is theirs too; one of the object itself is not.
        const scope = variable.symbol.bind === STB.LOCAL ? this.#own : this.#shared;
        this.#set(scope, scope === this.#own ? command.object : command.owner, variable.symbol.name, { symbol, replace: false });
        this.#note(command.object, `${variable.name} is the kernel's ${symbol.name}, which ${from} defines`);
      }
    }
  }

  /** Variables with state of one object that the other has none of the name of. */
  #between(elf: ElfObject, other: ElfObject, side: Side): Variable[] {
    const names = new Set(other.symbols.filter(({ type }) => type === STT.OBJECT).map(({ name }) => stemOf(name)));
    const gone = elf.symbols.filter(({ type, name, place }) => type === STT.OBJECT && isSection(place) && !names.has(stemOf(name)));
    if (gone.length === 0) return [];
    const isGone = new Set(gone);
    return this.#variables(elf, side, ({ symbol, home }) => isGone.has(symbol) && home !== "read-only" && home !== "boot");
  }

  #variables(elf: ElfObject, side: Side, wanted: (variable: Variable) => boolean): Variable[] {
    return variablesOf(elf, diffOptions(this.#kernel, side.compiled.command).build).filter(wanted);
  }

  /** The patched object with types, which most are compiled without. */
  async #withTypes(side: Side): Promise<ElfObject> {
    const { command } = side.compiled;
    if (typesOf(side.after) !== undefined) return side.after;
    let elf = this.#typed.get(command.object);
    if (elf === undefined) {
      elf = readElf((await compile(this.#task, command, "types", this.#view)).bytes, command.object);
      this.#typed.set(command.object, elf);
    }
    return elf;
  }

  #note(object: string, text: string): void {
    this.#notes.set(object, [...(this.#notes.get(object) ?? []), text]);
  }

  #set(maps: Map<string, Map<string, Elsewhere>>, key: string, name: string, elsewhere: Elsewhere): void {
    const map = maps.get(key) ?? new Map<string, Elsewhere>();
    maps.set(key, map.set(name, elsewhere));
  }
}

function checkSame(before: Variable, after: Variable, from: string, where: { file: string; symbol: string }): void {
  const difference =
    before.size !== after.size
      ? `it has ${after.size} bytes, and ${before.size} there`
      : before.home !== after.home
        ? `it is in ${after.section}, and in ${before.section} there`
        : before.contents !== after.contents
          ? "its initial value is another one"
          : undefined;
  if (difference !== undefined) throw fail("BUILD_MOVED", `the kernel has it from ${from}: ${difference}`, where);
}

const stemOf = (name: string): string => name.replace(/\.\d+$/, "");
