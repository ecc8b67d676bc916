/** How each symbol that patched code needs is reached: exported by the kernel, or through the livepatch core by name and place. */
import type { External } from "@suture/diff";
import { type ElfSymbol, isSection, STB } from "@suture/elf";
import type { Export, KernelModule, KernelSymbol, SymbolTable } from "@suture/kernel";
import { fail } from "./errors.ts";
import { klpSymbolName, moduleName, withUser } from "./names.ts";

export interface Resolved {
  /** As the code names it. */
  name: string;
  how: "exported" | "klp" | "patch";
  /** "vmlinux" or a module, for klp. */
  object: string | undefined;
  sympos: number | undefined;
  /** Its name in the module. */
  symbol: string;
}

export interface KernelView {
  symbols: SymbolTable;
  exports: ReadonlyMap<string, Export>;
  /** Where the kernel has its own build-id in memory, if that is known. */
  buildId: { bytes: Uint8Array; symbol: string; offset: number } | undefined;
}

/** How the livepatch core names a symbol that an original object defines. @throws where that is not certain */
export type Locate = (symbol: ElfSymbol) => Place;

/** The part of the kernel that patched objects belong to: vmlinux or one module. */
export interface Owner {
  /** "vmlinux", or the module's name as the kernel has it. */
  name: string;
  /** A symbol that is there once: without a proof of the place, only that is certain. @throws KLP_UNRESOLVED, KLP_AMBIGUOUS */
  unique(name: string, file: string): Place;
  /** A global symbol that another object of this part defines; undefined if none does. @throws KLP_AMBIGUOUS */
  global(name: string, file: string): Place | undefined;
}

/** How the livepatch core finds a symbol. */
export interface Place {
  name: string;
  sympos: number;
}

export interface SymbolSources {
  kernel: KernelView;
  vmlinux: Owner;
  /** The module that exports a symbol, to find the symbol's place in it. */
  module(name: string): Owner;
}

/** What a patch makes known to all of its objects. */
export interface Shared {
  /** Symbols that one of its objects adds. */
  addedGlobals: ReadonlySet<string>;
  /** Symbols of the kernel that were local, and are global in the patched source: where each is. */
  exposed: ReadonlyMap<string, { owner: Owner; place: () => Place }>;
}

export function resolveExternal(
  external: External,
  owner: Owner,
  locate: Locate,
  symbolSources: SymbolSources,
  { addedGlobals, exposed }: Shared,
  file: string,
): Resolved {
  const { original, symbol, anchor } = external;
  if (anchor !== undefined) return klp(anchor.name, owner, anchor, owner);
  const { name } = symbol;
  if (original === undefined && addedGlobals.has(name)) return { name, how: "patch", object: undefined, sympos: undefined, symbol: name };
  const global = original === undefined || original.bind !== 0;
  const exported = symbolSources.kernel.exports.get(name);
  // An export in a namespace needs a declaration in the importing module: the livepatch core needs none.
  if (global && exported?.module === "vmlinux" && exported.namespace === "")
    return { name, how: "exported", object: undefined, sympos: undefined, symbol: name };
  // Of a weak symbol another object's definition may have been taken: the linker went by the name.
  if (original !== undefined && original.bind !== STB.WEAK) return klp(name, owner, locate(original), owner);
  const here = owner.global(name, file);
  if (here !== undefined) return klp(name, owner, here, owner);
  const from =
    exported === undefined
      ? undefined
      : exported.module === "vmlinux"
        ? symbolSources.vmlinux
        : symbolSources.module(moduleOf(exported.module));
  const place = from?.global(name, file);
  const shown = exposed.get(name);
  if (place === undefined && shown !== undefined) return klp(name, shown.owner, shown.place(), owner);
  if (from === undefined || place === undefined) {
    if (external.constant !== true) throw unresolved(name, file);
    throw fail("KLP_CONSTANT_ONLY", `${name} is not among the kernel's symbols`, { file, symbol: name });
  }
  return klp(name, from, place, owner);
}

/** `fs/jbd2/jbd2` of Module.symvers → `jbd2`. */
function moduleOf(path: string): string {
  return moduleName(path.slice(path.lastIndexOf("/") + 1));
}

function klp(name: string, from: Owner, place: Place, user: Owner): Resolved {
  const symbol = klpSymbolName({ object: from.name, name: place.name, sympos: place.sympos });
  // Another module's symbol can be found when the module that uses it is loaded, so the relocation is applied with that one.
  const foreign = from.name !== "vmlinux" && from.name !== user.name;
  return { name, how: "klp", object: from.name, sympos: place.sympos, symbol: foreign ? withUser(symbol, user.name) : symbol };
}

/** The kernel itself as owner. */
export function vmlinuxOwner(symbols: SymbolTable): Owner {
  const place = (found: KernelSymbol): Place => ({ name: found.name, sympos: symbols.sympos(found) });
  const addresses = (found: readonly KernelSymbol[]): string[] => found.map(({ address }) => symbols.space.hex(address));
  return {
    name: "vmlinux",
    unique(name, file) {
      const found = symbols.named(name);
      return place(only(found, addresses(found), name, file));
    },
    global(name, file) {
      const found = symbols.named(name).filter((symbol) => isGlobal(symbol.type));
      return found.length === 0 ? undefined : place(only(found, addresses(found), name, file));
    },
  };
}

/** A module as owner, from its .ko file. */
export function moduleOwner(module: KernelModule): Owner {
  const place = (found: ElfSymbol): Place => ({ name: found.name, sympos: module.sympos(found) });
  const places = (found: readonly ElfSymbol[]): string[] =>
    found.map(({ place: at, value }) => `${isSection(at) ? at.name : at}+0x${value.toString(16)}`);
  return {
    name: moduleName(module.name),
    unique(name, file) {
      const found = module.named(name);
      return place(only(found, places(found), name, file));
    },
    global(name, file) {
      const found = module.named(name).filter((symbol) => symbol.bind !== STB.LOCAL);
      return found.length === 0 ? undefined : place(only(found, places(found), name, file));
    },
  };
}

/** What an owner answered, without the owner: a module is large. Of what it was not asked it knows nothing. */
export class Answers implements Owner {
  readonly name: string;
  readonly #globals = new Map<string, { place: Place | undefined } | { error: unknown }>();

  constructor(name: string) {
    this.name = name;
  }

  knows(name: string): boolean {
    return this.#globals.has(name);
  }

  /** @param file for errors */
  ask(owner: Owner, name: string, file: string): void {
    try {
      this.#globals.set(name, { place: owner.global(name, file) });
    } catch (error) {
      this.#globals.set(name, { error });
    }
  }

  global(name: string): Place | undefined {
    const found = this.#globals.get(name);
    if (found === undefined) throw new Error(`${this.name} was not asked for ${name}`);
    if ("error" in found) throw found.error;
    return found.place;
  }

  unique(name: string): never {
    throw new Error(`${this.name} was not asked for ${name}`);
  }
}

function only<T>(candidates: readonly T[], places: readonly string[], name: string, file: string): T {
  const [found] = candidates;
  if (found === undefined) throw unresolved(name, file);
  if (candidates.length > 1)
    throw fail("KLP_AMBIGUOUS", `${candidates.length} symbols are named ${name}: ${places.join(", ")}`, { file, symbol: name });
  return found;
}

/** The symbol table writes the types of global symbols as capitals; weak ones as w and v, in either case. */
function isGlobal(type: string): boolean {
  return type === type.toUpperCase() || type === "w" || type === "v";
}

function unresolved(name: string, file: string): Error {
  return fail("KLP_UNRESOLVED", `the kernel has no symbol ${name} that this code could reach`, { file, symbol: name });
}
