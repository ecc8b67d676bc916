/**
 * Whether structures live on the stacks of functions only, in one build of one object: an object of such a type is made in a function's frame, and comes to
 * others as an argument only, from call to call. So whoever has one has its maker below it on the stack. If all that know the type are replaced, no task
 * with one on its stack moves over, and nothing made by the old code is met by the new.
 */
import { type ElfObject, isSection, relocationSections, STT } from "@suture/elf";
import { DwarfTypes } from "../dwarf.ts";
import { type Body, type Names, type Parameters, readBody } from "./body.ts";
import { typeUses } from "./type-uses.ts";

/** What there is to know of one build of an object. */
export interface Build {
  elf: ElfObject;
  /** What the compiler said of its functions (-fdump-tree-original). */
  functions: string;
  /** By function: those that it was made part of. */
  inlined: ReadonlyMap<string, readonly string[]>;
  /** The source without macros. */
  text: string;
}

export interface StackOnly {
  /** What stands in the way. */
  grounds: string[];
  /** Functions of the object file whose code knows one of the structures. */
  holders: string[];
  /** Whether one of them has one in its frame. */
  owns: boolean;
}

/** What is put behind the name of the part of a function that is seldom run. */
const COLD = /\.cold(?:\.\d+)?$/;
const NONE: Parameters = { pointers: new Set(), others: new Set() };

/** What the types alone say, which is read at once. @throws BUILD_BAD_DWARF */
export function typeGrounds(elf: ElfObject, names: ReadonlySet<string>): string[] {
  const types = DwarfTypes.of(elf);
  return types === undefined ? ["the compiler wrote no types"] : told(typeUses(types, names).grounds);
}

function told(grounds: readonly (readonly [name: string, why: string])[]): string[] {
  return [...new Set(grounds.map(([name, why]) => `of ${name}: ${why}`))];
}

/** @param isExported whether modules from elsewhere can call a function. @throws BUILD_BAD_DWARF */
export function stackOnly(build: Build, tags: ReadonlySet<string>, isExported: (name: string) => boolean): StackOnly {
  const { elf, functions, text } = build;
  const types = DwarfTypes.of(elf);
  if (types === undefined) return { grounds: ["the compiler wrote no types"], holders: [], owns: false };
  const uses = typeUses(types, tags);
  const grounds = told(uses.grounds);
  const names: Names = { tags, aliases: uses.aliases, nested: uses.nested };
  const mention = new RegExp(`\\b(?:${[...tags, ...uses.aliases].join("|")})\\b`);
  const knowing = new Set<string>();
  const owning = new Set<string>();
  for (const [name, body] of bodies(functions)) {
    const parameters = uses.parameters.get(name) ?? NONE;
    if (parameters.pointers.size === 0 && !mention.test(body)) continue;
    const read: Body = readBody(body, names, parameters);
    if (read.ground !== undefined) grounds.push(`${name}: ${read.ground}`);
    if (read.knows) knowing.add(name);
    if (read.owns) owning.add(name);
  }
  for (const [name, { pointers }] of uses.parameters) {
    if (pointers.size === 0) continue;
    knowing.add(name);
    if (isExported(name)) grounds.push(`${name}, which takes one, is exported: modules from elsewhere can call it`);
    if (isTaken(elf, functions, name)) grounds.push(`the address of ${name}, which takes one, is taken: it can be called from anywhere`);
  }
  const reckons = reckoning(text, [...tags], [...uses.aliases]);
  if (reckons !== undefined) grounds.push(`the source reckons with where its members lie: ${reckons}`);
  for (const name of emitted(elf, build.inlined, owning))
    if (elf.symbols.some((symbol) => COLD.test(symbol.name) && symbol.name.replace(COLD, "") === name))
      grounds.push(`${name}, which has one on its stack, lies in two parts: the kernel does not see tasks in the one that is seldom run`);
  return { grounds, holders: emitted(elf, build.inlined, knowing), owns: owning.size > 0 };
}

/** By name, what stands between the braces. */
function* bodies(dump: string): Generator<[name: string, body: string]> {
  for (const part of dump.split(/^;; Function /m).slice(1)) {
    const name = /^[\w.]+/.exec(part)?.[0] ?? "";
    yield [
      name,
      part
        .split("\n")
        .filter((line) => !line.startsWith(";; "))
        .slice(1)
        .join("\n"),
    ];
  }
}

/** Whether a function's address is anywhere but in calls. */
export function isTaken(elf: ElfObject, dump: string, name: string): boolean {
  const named = new RegExp(`(?<![.\\w>])(?<!;; Function )${name}(?![\\w.]| \\()`);
  return named.test(dump) || inData(elf, name) || elf.symbols.some((symbol) => symbol.name.startsWith(`__BTF_ID__func__${name}__`));
}

/** Whether a variable of the object has the address of a function. */
function inData(elf: ElfObject, name: string): boolean {
  const symbol = elf.symbols.find((one) => one.name === name && one.type === STT.FUNC);
  if (symbol === undefined || !isSection(symbol.place)) return false;
  const { place, value } = symbol;
  for (const [section, tables] of relocationSections(elf)) {
    if (!/^\.(?:init\.|ref\.)?(?:data|rodata)/.test(section.name)) continue;
    const leads = tables.some(({ relocations }) =>
      relocations.some(({ symbol: to, addend }) => to !== undefined && to.place === place && to.value + addend === value),
    );
    if (leads) return true;
  }
  return false;
}

/** `offsetof(struct s, m)`, and members of nothing: code that goes by the layout where no object of it is seen. */
function reckoning(text: string, tags: readonly string[], aliases: readonly string[]): string | undefined {
  const type = `(?:const\\s+)?(?:(?:struct|union)\\s+(?:${tags.join("|")})${aliases.length === 0 ? "" : `|(?:${aliases.join("|")})`})\\b`;
  const found = new RegExp(
    `__builtin_offsetof\\s*\\(\\s*${type}[^)]*|\\(\\s*${type}\\s*\\*\\s*\\)\\s*\\(?\\s*(?:0|\\(\\s*void\\s*\\*\\s*\\)\\s*0)\\b[^;]{0,20}`,
  );
  return found.exec(text)?.[0].replace(/\s+/g, " ");
}

/** Functions that the object file has, for those of the source: by themselves, in parts, and as parts of others. */
function emitted(elf: ElfObject, inlined: Build["inlined"], names: ReadonlySet<string>): string[] {
  const reached = new Set<string>();
  const parts = new Map<string, Set<string>>();
  for (const [name, into] of inlined) {
    const known = parts.get(sourceName(name)) ?? new Set();
    for (const one of into) known.add(sourceName(one));
    parts.set(sourceName(name), known);
  }
  const queue = [...names];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (reached.has(name)) continue;
    reached.add(name);
    queue.push(...(parts.get(name) ?? []));
  }
  return elf.symbols
    .filter(({ name, type, place }) => type === STT.FUNC && isSection(place) && !COLD.test(name) && reached.has(sourceName(name)))
    .map(({ name }) => name);
}

/** Without what the compiler puts behind it. */
function sourceName(name: string): string {
  return name.replace(/\..*$/, "");
}
