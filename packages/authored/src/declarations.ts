/**
 * What a file says by the macros of <suture.h>: entries of struct suture_declaration in a section of the compiled object, which does not
 * become part of the module.
 */

import {
  type ElfObject,
  type ElfSymbol,
  isSection,
  type Relocation,
  relocationSections,
  type Section,
  SHT,
  STT,
  viewOf,
} from "@suture/elf";
import { CALLBACKS, type CallbackKind } from "@suture/protocol";
import { fail } from "./errors.ts";

interface Declared {
  /** FILE:LINE, for errors. */
  at: string;
}

export interface Replacement extends Declared {
  /** "vmlinux" or a module. */
  object: string;
  old: string;
  /** The C file that defines it, if it was said. */
  file: string | undefined;
  symbol: ElfSymbol;
}

export interface NamedSymbol extends Declared {
  /** As the code names it. */
  local: string;
  object: string;
  file: string | undefined;
  name: string;
}

export interface DeclaredCallback extends Declared {
  object: string;
  kind: CallbackKind;
  name: string;
  symbol: ElfSymbol;
}

export interface DeclaredState extends Declared {
  id: number;
  version: number;
}

export interface Shadow extends Declared {
  name: string;
  id: number;
  size: number;
  destructor: ElfSymbol | undefined;
}

export interface Declarations {
  replacements: Replacement[];
  symbols: NamedSymbol[];
  callbacks: DeclaredCallback[];
  states: DeclaredState[];
  shadows: Shadow[];
}

/** What does not become part of the module: declarations, and what the compiler writes of types. */
const SECTIONS = /^\.(suture\.(declarations|names)|BTF|debug_\w+)$/;

/** struct suture_declaration: SUTURE_KIND_*, line, five pointers, two numbers. */
const SIZE = 64;
const AT = { kind: 0, line: 4, source: 8, object: 16, name: 24, file: 32, code: 40, number: 48, version: 56 } as const;
const REPLACE = 1;
const SYMBOL = 2;
const FIRST_CALLBACK = 3;
const STATE = 7;
const SHADOW = 8;

/** Reads them and takes them out of the object. @throws AUTHORED_DECLARATION */
export function takeDeclarations(elf: ElfObject): Declarations {
  const found: Declarations = { replacements: [], symbols: [], callbacks: [], states: [], shadows: [] };
  for (const section of elf.sections.filter(({ name }) => name === ".suture.declarations")) {
    if (section.size % SIZE !== 0) throw fail("AUTHORED_DECLARATION", `${section.size} bytes of declarations`, { file: elf.file });
    const pointers = new Map<number, Relocation>();
    for (const table of relocationSections(elf).get(section) ?? [])
      for (const entry of table.relocations) pointers.set(entry.offset, entry);
    for (let at = 0; at < section.size; at += SIZE) add(found, elf, section, at, pointers);
  }
  remove(elf);
  return found;
}

function add(found: Declarations, elf: ElfObject, section: Section, start: number, pointers: ReadonlyMap<number, Relocation>): void {
  const view = viewOf(section.data, elf.format.order);
  const text = (field: keyof typeof AT): string => textAt(elf, pointers.get(start + AT[field]));
  const kind = view.u32(start + AT.kind);
  const at = `${text("source")}:${view.u32(start + AT.line)}`;
  const number = Number(view.u64(start + AT.number));
  const version = Number(view.u64(start + AT.version));
  const object = text("object").replaceAll("-", "_");
  const name = text("name");
  const file = text("file") === "" ? undefined : text("file");
  const code = pointers.get(start + AT.code);
  const functionOf = (): ElfSymbol => {
    const symbol = code === undefined ? undefined : functionAt(elf, code);
    if (symbol === undefined)
      throw fail("AUTHORED_DECLARATION", `${name} is declared with something that is no function of the file`, { file: at });
    return symbol;
  };
  const callback = CALLBACKS[kind - FIRST_CALLBACK];
  if (kind === REPLACE) found.replacements.push({ at, object, old: name, file, symbol: functionOf() });
  else if (kind === SYMBOL) found.symbols.push({ at, local: textAt(elf, code), object, file, name });
  else if (callback !== undefined) found.callbacks.push({ at, object, kind: callback, name, symbol: functionOf() });
  else if (kind === STATE) found.states.push({ at, id: number, version });
  else if (kind === SHADOW)
    found.shadows.push({ at, name, id: number, size: version, destructor: code === undefined ? undefined : functionOf() });
  else throw fail("AUTHORED_DECLARATION", `a declaration of the unknown kind ${kind}`, { file: at });
}

/** The string that a pointer points at; empty for none. */
function textAt(elf: ElfObject, pointer: Relocation | undefined): string {
  const { symbol, addend } = pointer ?? {};
  if (symbol === undefined || addend === undefined) return "";
  if (!isSection(symbol.place)) throw fail("AUTHORED_DECLARATION", "a name that is no constant", { file: elf.file, symbol: symbol.name });
  const { data } = symbol.place;
  const start = symbol.value + addend;
  const end = data.indexOf(0, start);
  return Buffer.from(data.subarray(start, end < 0 ? data.length : end)).toString("latin1");
}

function functionAt(elf: ElfObject, { symbol, addend }: Relocation): ElfSymbol | undefined {
  if (symbol === undefined || !isSection(symbol.place)) return undefined;
  const at = symbol.value + addend;
  const { place } = symbol;
  return elf.symbols.find((other) => other.type === STT.FUNC && other.place === place && other.value === at && other.size > 0);
}

function remove(elf: ElfObject): void {
  const gone = new Set(elf.sections.filter(({ name }) => SECTIONS.test(name)));
  elf.sections = elf.sections.filter(
    (section) => !gone.has(section) && !(section.type === SHT.RELA && section.target !== undefined && gone.has(section.target)),
  );
  elf.symbols = elf.symbols.filter(({ place }) => !isSection(place) || !gone.has(place));
}
