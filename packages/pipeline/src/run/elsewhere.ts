/**
 * Names and state that go from one object to another: a function or variable that a fix moves between files, a strong definition beside the kernel's
 * weak one, a second definition. What the running kernel has stays the one that all use, or is replaced for all of them.
 */

import { comparePrototypes, compareVariables, definedIn, type Found, hasEntry, Originals } from "@suture/authored";
import { type Elsewhere, type Variable, variablesOf } from "@suture/diff";
import { type ElfObject, type ElfSymbol, isSection, readElf, SHF, STB, STT } from "@suture/elf";
import type { KernelContext, ObjectCommand, SourceView } from "@suture/kbuild";
import { buildOf, compile, locator } from "@suture/kbuild";
import type { Owner, Place } from "@suture/livepatch";
import type { Task } from "@suture/task";
import { objectTypes } from "@suture/types";
import { fail } from "../errors.ts";
import type { Compiled } from "./built-objects.ts";

export interface Moves {
  /** For the differ, by object. */
  of(object: string): ReadonlyMap<string, Elsewhere>;
  /** Of the symbols that those name. */
  place(symbol: ElfSymbol): Place | undefined;
  /** By object, for people. */
  notes: ReadonlyMap<string, readonly string[]>;
}

type Defined = Pick<ElfSymbol, "name" | "type" | "bind">;

/** Where both builds of an object are had from. */
export interface Builds {
  open(command: ObjectCommand): Promise<Compiled>;
  /** Without the proof. */
  elves(command: ObjectCommand): Promise<{ before: ElfObject; after: ElfObject }>;
}

/** What an object defines for others before and after, and whether variables go or come: all that is kept of one while others are looked at. */
export interface Outline {
  command: ObjectCommand;
  before: ReadonlyMap<string, Defined>;
  now: ReadonlyMap<string, Defined>;
  /** Global names that it did not have before, not even for itself. */
  added: readonly Defined[];
  loses: boolean;
  gains: boolean;
}

export function outlineOf(command: ObjectCommand, before: ElfObject, after: ElfObject): Outline {
  const known = new Set(before.symbols.filter(({ place }) => isSection(place)).map(({ name }) => name));
  const plain = (symbols: Map<string, ElfSymbol>): Map<string, Defined> =>
    new Map([...symbols].map(([name, { type, bind }]) => [name, { name, type, bind }]));
  const now = plain(definitions(after));
  return {
    command,
    before: plain(definitions(before)),
    now,
    added: [...now.values()].filter(({ name }) => !known.has(name)),
    loses: goneFrom(before, after).length > 0,
    gains: goneFrom(after, before).length > 0,
  };
}

/** @param outlines of the objects that the fix changes. @throws BUILD_DEFINED_TWICE, BUILD_MOVED */
export async function movesBetween(
  task: Task,
  kernel: KernelContext,
  built: Builds,
  outlines: readonly Outline[],
  options: { view: SourceView; unproven: boolean },
): Promise<Moves> {
  const found = new Finder(task, kernel, built, outlines, options);
  for (const owner of new Set(outlines.map(({ command }) => command.owner))) {
    const own = outlines.filter(({ command }) => command.owner === owner);
    for (const side of own) await found.globals(side, own);
    if (own.length > 1) await found.state(own);
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

/** Variables of one object that the other has none of the name of. */
function goneFrom(elf: ElfObject, other: ElfObject): ElfSymbol[] {
  const names = new Set(other.symbols.filter(({ type }) => type === STT.OBJECT).map(({ name }) => stemOf(name)));
  return elf.symbols.filter(({ type, name, place }) => type === STT.OBJECT && isSection(place) && !names.has(stemOf(name)));
}

type State = Omit<Variable, "symbol">;

/** A variable that an object does not have any more. Its symbol would hold the whole object. */
interface Lost {
  side: Outline;
  variable: State;
  symbol: string;
  /** Among what its object lost. */
  index: number;
}

class Finder {
  readonly #task: Task;
  readonly #kernel: KernelContext;
  readonly #built: Builds;
  readonly #sides: readonly Outline[];
  readonly #view: SourceView;
  readonly #originals: Originals;
  readonly #shared = new Map<string, Map<string, Elsewhere>>();
  readonly #own = new Map<string, Map<string, Elsewhere>>();
  readonly #places = new Map<ElfSymbol, Place>();
  readonly #notes = new Map<string, string[]>();
  readonly #typed = new Map<string, ElfObject>();

  constructor(
    task: Task,
    kernel: KernelContext,
    built: Builds,
    sides: readonly Outline[],
    { view, unproven }: { view: SourceView; unproven: boolean },
  ) {
    this.#task = task;
    this.#kernel = kernel;
    this.#built = built;
    this.#sides = sides;
    this.#view = view;
    this.#originals = new Originals(task, kernel, unproven);
  }

  get moves(): Moves {
    return movesOf(new Map(this.#sides.map(({ command }) => [command.object, command.owner])), {
      shared: this.#shared,
      own: this.#own,
      places: this.#places,
      notes: this.#notes,
    });
  }

  /** Global names that an object did not define before. */
  async globals(side: Outline, own: readonly Outline[]): Promise<void> {
    const { command } = side;
    if (side.added.length === 0) return;
    const owner = await this.#kernel.owner(this.#task, command.owner);
    for (const { name } of side.added) {
      const where = { file: command.object, symbol: name };
      const twin = own.find((other) => other !== side && !other.before.has(name) && other.now.has(name));
      if (twin !== undefined)
        throw fail("BUILD_DEFINED_TWICE", `${twin.command.object} gets a new ${name} too, and both are linked into ${owner.name}`, where);
      this.#checkParts(name, owner, where);
      if (owner.global(name, command.object) === undefined) continue;
      const found = await this.#definer(side, own, name);
      await this.#meet(side, name, found);
    }
  }

  /** Names that another part of the kernel gives to all. */
  #checkParts(name: string, owner: Owner, where: { file: string; symbol: string }): void {
    const { exports } = this.#kernel.symbolSources.kernel;
    const exported = exports.get(name)?.module;
    const inKernel = owner.name !== "vmlinux" && this.#kernel.symbolSources.vmlinux.global(name, where.file) !== undefined;
    if (inKernel) throw fail("BUILD_DEFINED_TWICE", `vmlinux has a ${name}, and the fix gives ${owner.name} one of its own`, where);
    if (exported === undefined || exported === owner.name) return;
    if (exported.slice(exported.lastIndexOf("/") + 1).replaceAll("-", "_") === owner.name) return;
    throw fail("BUILD_DEFINED_TWICE", `${exported} exports a ${name}, and the fix gives ${owner.name} one of its own`, where);
  }

  /** The object that defines what the kernel runs under the name: gone from there in the fix, or weak. */
  async #definer(side: Outline, own: readonly Outline[], name: string): Promise<Found> {
    const { command } = side;
    const where = { file: command.object, symbol: name };
    const inFix = own.find((other) => other !== side && other.before.has(name));
    const objects = inFix === undefined ? await definedIn(this.#task, this.#kernel, command.owner, name) : [inFix.command.object];
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
    const place = locator(opened.proof, await this.#kernel.owner(this.#task, command.owner))(symbol);
    return { original: opened, symbol, place };
  }

  /** A definition of the fix meets the kernel's. */
  async #meet(side: Outline, name: string, { original, symbol: old, place }: Found): Promise<void> {
    const { object, owner } = side.command;
    const { after } = await this.#built.elves(side.command);
    const symbol = definitions(after).get(name) as ElfSymbol;
    const from = original.command.object;
    const where = { file: object, symbol: name };
    if (symbol.type !== old.type)
      throw fail("BUILD_MOVED", `it is a function in one of ${from} and ${object}, and a variable in the other`, where);
    const replace = symbol.type === STT.FUNC && symbol.bind !== STB.WEAK;
    if (replace) {
      if (!hasEntry(original.elf, old))
        throw fail("BUILD_MOVED", `the kernel's ${name} of ${from} has no ftrace entry, so that its other callers would keep it`, where);
      const [before, now] = [objectTypes(original.elf)?.prototype(name), objectTypes(await this.#withTypes(side, after))?.prototype(name)];
      if (before === undefined || now === undefined)
        throw fail("BUILD_MOVED", `the types of ${name} in ${from} and ${object} cannot be compared`, where);
      comparePrototypes({ at: object, old: name, own: name }, before, now);
      this.#note(object, `${name} takes the place of the kernel's, which ${from} defines, for all who call it`);
    } else if (symbol.type === STT.OBJECT) {
      const [before] = this.#variables(original.elf, side, (one) => one.symbol === old);
      const [now] = this.#variables(after, side, (one) => one.symbol === symbol);
      if (before === undefined || now === undefined)
        throw fail("BUILD_MOVED", `what ${name} holds cannot be compared with that of ${from}`, where);
      checkSame(before, now, from, where);
      const types = objectTypes(await this.#withTypes(side, after))?.variable(name);
      compareVariables({ at: object, old: name, own: name }, objectTypes(original.elf)?.variable(name), types);
      this.#note(object, `${name} is the kernel's, which ${from} defines`);
    }
    this.#places.set(old, place);
    this.#set(this.#shared, owner, name, { symbol: old, replace });
  }

  /** Variables that one object of a part loses and another gets: of one name, or used by functions of one name. */
  async state(own: readonly Outline[]): Promise<void> {
    if (!own.some(({ gains }) => gains)) return;
    const lost: Lost[] = [];
    for (const side of own.filter(({ loses }) => loses)) {
      const { before, after } = await this.#built.elves(side.command);
      lost.push(
        ...this.#between(before, after, side).map(({ symbol, ...variable }, index) => ({ side, variable, symbol: symbol.name, index })),
      );
    }
    if (lost.length === 0) return;
    for (const side of own.filter(({ gains }) => gains)) {
      const { command } = side;
      const known = this.#shared.get(command.owner);
      const { before, after } = await this.#built.elves(side.command);
      for (const variable of this.#between(after, before, side)) {
        if (known?.has(variable.symbol.name) === true) continue;
        const others = lost.filter((one) => one.side !== side && known?.has(one.symbol) !== true);
        const shares = ({ variable: { referrers } }: Lost): boolean => [...variable.referrers].some((name) => referrers.has(name));
        const alike = ({ variable: { size, home } }: Lost): boolean => size === variable.size && home === variable.home;
        const named = others.filter((one) => one.variable.name === variable.name && (shares(one) || alike(one)));
        const [twin] = named;
        const where = { file: command.object, symbol: variable.symbol.name };
        if (twin === undefined) {
          const rival = others.find((one) => alike(one) && shares(one));
          if (rival !== undefined)
            throw fail(
              "BUILD_MOVED",
              `${rival.symbol} of ${rival.side.command.object} is gone, and what used it uses the new ${variable.symbol.name} here: it could be the same variable`,
              where,
            );
          continue;
        }
        const from = twin.side.command.object;
        if (named.length > 1 || !shares(twin))
          throw fail(
            "BUILD_MOVED",
            `${variable.name} is new here, and ${named.length > 1 ? "several objects" : from} lost one of that name`,
            where,
          );
        checkSame(twin.variable, variable, from, where);
        const symbol = await this.#symbolOf(twin);
        // A name that other objects can use is theirs too; one of the object itself is not.
        const scope = variable.symbol.bind === STB.LOCAL ? this.#own : this.#shared;
        this.#set(scope, scope === this.#own ? command.object : command.owner, variable.symbol.name, { symbol, replace: false });
        this.#note(command.object, `${variable.name} is the kernel's ${symbol.name}, which ${from} defines`);
      }
    }
  }

  /** The original's symbol of a lost variable, with its place. */
  async #symbolOf(lost: Lost): Promise<ElfSymbol> {
    const { command } = lost.side;
    const { original, patched, proof } = await this.#built.open(command);
    const { symbol } = this.#between(original.elf, readElf(patched, command.object), lost.side)[lost.index] as Variable;
    this.#places.set(symbol, locator(proof, await this.#kernel.owner(this.#task, command.owner))(symbol));
    return symbol;
  }

  /** Variables with state of one object that the other has none of the name of. */
  #between(elf: ElfObject, other: ElfObject, side: Outline): Variable[] {
    const isGone = new Set(goneFrom(elf, other));
    if (isGone.size === 0) return [];
    return this.#variables(elf, side, ({ symbol, home }) => isGone.has(symbol) && home !== "read-only" && home !== "boot");
  }

  #variables(elf: ElfObject, side: Outline, wanted: (variable: Variable) => boolean): Variable[] {
    return variablesOf(elf, buildOf(this.#kernel, side.command)).filter(wanted);
  }

  /** The patched object with types, which most are compiled without. */
  async #withTypes({ command }: Outline, after: ElfObject): Promise<ElfObject> {
    if (objectTypes(after) !== undefined) return after;
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

/** Outside of the finder, which holds the objects that it opened. */
function movesOf(
  owners: ReadonlyMap<string, string>,
  found: {
    shared: ReadonlyMap<string, ReadonlyMap<string, Elsewhere>>;
    own: ReadonlyMap<string, ReadonlyMap<string, Elsewhere>>;
    places: ReadonlyMap<ElfSymbol, Place>;
    notes: ReadonlyMap<string, readonly string[]>;
  },
): Moves {
  const none = new Map<string, Elsewhere>();
  return {
    of: (object) => {
      const shared = found.shared.get(owners.get(object) ?? "") ?? none;
      const own = found.own.get(object) ?? none;
      return own.size === 0 ? shared : new Map([...shared, ...own]);
    },
    place: (symbol) => found.places.get(symbol),
    notes: found.notes,
  };
}

function checkSame(before: State, after: State, from: string, where: { file: string; symbol: string }): void {
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
