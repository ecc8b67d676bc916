/** How each symbol that patched code needs is reached: exported by the kernel, or through the livepatch core by name and place. */
import type { External } from "@suture/diff";
import type { ElfSymbol } from "@suture/elf";
import type { Export, KernelSymbol, SymbolTable } from "@suture/kernel";
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
}

/** Where the proof says that a symbol of the original object is in the image; undefined if it says nothing. */
export type Locate = (symbol: ElfSymbol) => number | undefined;

/** The part of the kernel that patched objects belong to: vmlinux or one module. It names its own symbols for the livepatch core. */
export interface Owner {
  /** "vmlinux", or the module's name as the kernel has it. */
  name: string;
  /** A symbol that an original object of this part defines. @throws KLP_UNRESOLVED, KLP_AMBIGUOUS */
  own(symbol: ElfSymbol, locate: Locate, file: string): Place;
  /** A global symbol that another object of this part defines; undefined if none does. */
  global(name: string, file: string): Place | undefined;
}

/** How the livepatch core finds a symbol. */
export interface Place {
  name: string;
  sympos: number;
}

export interface World {
  kernel: KernelView;
  vmlinux: Owner;
  /** The module that exports a symbol, to find the symbol's place in it. */
  module(name: string): Owner;
}

/** @param news symbols that another object of the same patch defines */
export function resolveExternal(external: External, owner: Owner, locate: Locate, world: World, news: ReadonlySet<string>, file: string): Resolved {
  const { original, symbol } = external;
  const { name } = symbol;
  if (original === undefined && news.has(name)) return { name, how: "patch", object: undefined, sympos: undefined, symbol: name };
  const global = original === undefined || original.bind !== 0;
  const exported = world.kernel.exports.get(name);
  // An export in a namespace needs a declaration in the importing module: the livepatch core needs none.
  if (global && exported?.module === "vmlinux" && exported.namespace === "")
    return { name, how: "exported", object: undefined, sympos: undefined, symbol: name };
  if (original !== undefined) return klp(name, owner, owner.own(original, locate, file), owner);
  const here = owner.global(name, file);
  if (here !== undefined) return klp(name, owner, here, owner);
  const from = exported === undefined ? undefined : exported.module === "vmlinux" ? world.vmlinux : world.module(moduleOf(exported.module));
  const place = from?.global(name, file);
  if (from === undefined || place === undefined) throw unresolved(name, file);
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
  return {
    name: "vmlinux",
    own: (symbol, locate, file) => place(locatedSymbol(symbol, locate, symbols, file)),
    global: (name, file) => {
      const globals = symbols.named(name).filter((c) => isGlobal(c.type));
      const [found] = globals;
      if (globals.length > 1) throw ambiguous(name, globals, file);
      return found === undefined ? undefined : place(found);
    },
  };
}

/** The kernel's symbol that a symbol of the original object is. */
function locatedSymbol(original: ElfSymbol, locate: Locate, symbols: SymbolTable, file: string): KernelSymbol {
  const { name } = original;
  const candidates = symbols.named(name);
  const address = locate(original);
  const where = { file, symbol: name };
  if (address === undefined) {
    // Without a proof of the place, only a name that is there once is certain.
    const [only] = candidates;
    if (candidates.length === 1 && only !== undefined) return only;
    throw candidates.length === 0 ? unresolved(name, file) : ambiguous(name, candidates, file);
  }
  const here = candidates.filter((c) => c.address === address);
  const [found] = here;
  if (found === undefined)
    throw fail("KLP_UNRESOLVED", `the kernel's symbol table has no ${name} at ${hex(address)}, where the proof places it`, where);
  if (here.length > 1) throw ambiguous(name, here, file);
  return found;
}

/** The symbol table writes the types of global symbols as capitals; weak ones as w and v, in either case. */
function isGlobal(type: string): boolean {
  return type === type.toUpperCase() || type === "w" || type === "v";
}

function unresolved(name: string, file: string): Error {
  return fail("KLP_UNRESOLVED", `the kernel has no symbol ${name} that this code could reach`, { file, symbol: name });
}

function ambiguous(name: string, candidates: readonly KernelSymbol[], file: string): Error {
  const places = candidates.map((c) => hex(c.address)).join(", ");
  return fail("KLP_AMBIGUOUS", `${candidates.length} symbols of the kernel are named ${name}: ${places}`, { file, symbol: name });
}

function hex(address: number): string {
  return `0x${BigInt.asUintN(64, BigInt(address)).toString(16)}`;
}
