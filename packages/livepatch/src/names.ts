/** Names that the kernel's livepatch core reads. Source: Documentation/livepatch/module-elf-format.rst of the kernel. */
import type { TypeLayouts } from "@suture/arch";

/** The part of the kernel that a symbol or relocation belongs to; "vmlinux" for the kernel itself. */
export interface KlpSymbol {
  object: string;
  name: string;
  sympos: number;
}

const SYMBOL = /^\.klp\.sym\.([^.]+)\.([^,]+),(\d+)$/;
const SECTION = /^\.klp\.rela\.([^.]+)\.(.+)$/;

export function klpSymbolName({ object, name, sympos }: KlpSymbol): string {
  return `.klp.sym.${object}.${name},${sympos}`;
}

export function parseKlpSymbol(text: string): KlpSymbol | undefined {
  const match = SYMBOL.exec(text);
  const [, object, name, sympos] = match ?? [];
  return object === undefined || name === undefined ? undefined : { object, name, sympos: Number(sympos) };
}

export function isKlpSymbol(name: string): boolean {
  return name.startsWith(".klp.sym.");
}

export function klpSectionName(object: string, section: string): string {
  return `.klp.rela.${object}.${section}`;
}

export function parseKlpSection(text: string): { object: string; section: string } | undefined {
  const match = SECTION.exec(text);
  const [, object, section] = match ?? [];
  return object === undefined || section === undefined ? undefined : { object, section };
}

/**
 * Until the module is finished, a symbol of one module that code of another uses carries the user's name, which decides when the relocation is
 * applied. A semicolon occurs in no symbol name.
 */
export function withUser(symbol: string, user: string): string {
  return `${symbol};${user}`;
}

export function splitUser(symbol: string): { symbol: string; user: string | undefined } {
  const [name = symbol, user] = symbol.split(";");
  return { symbol: name, user };
}

/** What the core can read of an object's name: "%55[^.]". */
export const LONGEST_OBJECT = 55;
/** KSYM_NAME_LEN of the oldest kernels that are patched. */
const SHORTEST_LIMIT = 128;

/** What the core can read of a symbol's name: KSYM_NAME_LEN, as the kernel's types have it, less the zero at its end. */
export function longestSymbol(layouts: TypeLayouts): number {
  return (layouts.member("kallsym_iter", "name")?.size ?? SHORTEST_LIMIT) - 1;
}

/** A module's name as the kernel has it: dashes are underscores. */
export function moduleName(name: string): string {
  return name.replace(/-/g, "_");
}
