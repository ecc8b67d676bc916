/** How each symbol that patched code needs is reached: exported by the kernel, or through the livepatch core by name and place. */
import type { External } from "@suture/diff";
import type { ElfSymbol } from "@suture/elf";
import type { Export, KernelSymbol, SymbolTable } from "@suture/kernel";
import { fail } from "./errors.ts";
import { klpSymbolName } from "./names.ts";

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

/** @param news symbols that another object of the same patch defines */
export function resolveExternal(external: External, locate: Locate, kernel: KernelView, news: ReadonlySet<string>, file: string): Resolved {
  const { original, symbol } = external;
  const { name } = symbol;
  if (original === undefined && news.has(name)) return { name, how: "patch", object: undefined, sympos: undefined, symbol: name };
  const global = original === undefined || original.bind !== 0;
  const exported = kernel.exports.get(name);
  // An export in a namespace needs a declaration in the importing module: the livepatch core needs none.
  if (global && exported?.module === "vmlinux" && exported.namespace === "")
    return { name, how: "exported", object: undefined, sympos: undefined, symbol: name };
  const found = original === undefined ? globalSymbol(name, kernel.symbols, file) : locatedSymbol(original, locate, kernel.symbols, file);
  const sympos = kernel.symbols.sympos(found);
  return { name, how: "klp", object: "vmlinux", sympos, symbol: klpSymbolName({ object: "vmlinux", name: found.name, sympos }) };
}

/** The kernel's symbol that a symbol of the original object is. */
export function locatedSymbol(original: ElfSymbol, locate: Locate, symbols: SymbolTable, file: string): KernelSymbol {
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

/** A symbol that another object of the kernel defines: the one with this name that is global. */
function globalSymbol(name: string, symbols: SymbolTable, file: string): KernelSymbol {
  const candidates = symbols.named(name);
  const globals = candidates.filter((c) => isGlobal(c.type));
  const [found] = globals;
  if (found === undefined) throw unresolved(name, file);
  if (globals.length > 1) throw ambiguous(name, globals, file);
  return found;
}

/** The symbol table writes the types of global symbols as capitals; weak ones as w and v, in either case. */
function isGlobal(type: string): boolean {
  return type === type.toUpperCase() || type === "w" || type === "v";
}

function unresolved(name: string, file: string): Error {
  return fail("KLP_UNRESOLVED", `the kernel has no symbol ${name}`, { file, symbol: name });
}

function ambiguous(name: string, candidates: readonly KernelSymbol[], file: string): Error {
  const places = candidates.map((c) => hex(c.address)).join(", ");
  return fail("KLP_AMBIGUOUS", `${candidates.length} symbols of the kernel are named ${name}: ${places}`, { file, symbol: name });
}

function hex(address: number): string {
  return `0x${BigInt.asUintN(64, BigInt(address)).toString(16)}`;
}
