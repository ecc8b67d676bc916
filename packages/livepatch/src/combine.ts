/** The deltas of all objects of a patch become one relocatable object, with every outside symbol under the name that the module will use. */
import type { Delta } from "@suture/diff";
import { type ElfObject, type ElfSymbol, newObject, newSymbol, relocationSections } from "@suture/elf";
import type { Btf } from "@suture/kernel";
import { addDescriptor, type DescribedObject } from "./descriptor.ts";
import { fail } from "./errors.ts";
import { splitUser } from "./names.ts";
import { type Locate, type Owner, type Resolved, resolveExternal, type Shared, type World } from "./resolve.ts";

/** What was changed in one object of the kernel. */
export interface Part {
  /** Path of the object in the source tree. */
  object: string;
  owner: Owner;
  delta: Delta;
  locate: Locate;
}

export interface Combined {
  object: ElfObject;
  functions: { object: string; owner: string; name: string; sympos: number; sizeBefore: number; size: number; why: string }[];
  symbols: Resolved[];
}

export interface CombineOptions {
  name: string;
  replace: boolean;
  world: World;
  btf: Btf;
}

export function combine(parts: readonly Part[], options: CombineOptions): Combined {
  const elf = newObject(options.name);
  const news = new Set(parts.flatMap((part) => newGlobals(part)));
  const shared: Shared = { news, exposed: exposedBy(parts) };
  const outside = new Map<string, ElfSymbol>();
  const resolved = new Map<string, Resolved>();
  const described = new Map<string, DescribedObject>();
  const functions: Combined["functions"] = [];
  for (const part of parts) {
    const { object } = part.delta;
    if (object === undefined) continue;
    const replaced = new Map<ElfSymbol, ElfSymbol>();
    for (const external of part.delta.externals) {
      const how = resolveExternal(external, part.owner, part.locate, options.world, shared, part.object);
      resolved.set(how.symbol, how);
      let symbol = outside.get(how.symbol);
      if (symbol === undefined) {
        symbol = newSymbol({ name: how.symbol, place: "undef", bind: 1 });
        outside.set(how.symbol, symbol);
      }
      replaced.set(external.symbol, symbol);
    }
    append(elf, object, replaced);
    for (const func of part.delta.functions) {
      const { name, sympos } = part.locate(func.original);
      if (functions.some((f) => f.owner === part.owner.name && f.name === name && f.sympos === sympos))
        throw fail("KLP_DUPLICATE_FUNCTION", `${func.name} is replaced twice`, { file: part.object, symbol: func.name });
      objectOf(described, part.owner.name).functions.push({ name, sympos, symbol: func.symbol });
      functions.push({
        object: part.object,
        owner: part.owner.name,
        name,
        sympos,
        sizeBefore: func.sizeBefore,
        size: func.size,
        why: func.why,
      });
    }
  }
  linkInside(elf, outside, news);
  elf.symbols.push(...outside.values());
  addDescriptor(elf, [...described.values()], options.replace, options.btf);
  const symbols = [...resolved.values()]
    .map((r) => ({ ...r, symbol: splitUser(r.symbol).symbol }))
    .sort((a, b) => (a.symbol < b.symbol ? -1 : 1));
  return { object: elf, functions, symbols };
}

function objectOf(described: Map<string, DescribedObject>, owner: string): DescribedObject {
  let object = described.get(owner);
  if (object === undefined) {
    object = { module: owner === "vmlinux" ? undefined : owner, functions: [] };
    described.set(owner, object);
  }
  return object;
}

function newGlobals(part: Part): string[] {
  return (part.delta.object?.symbols ?? []).filter((s) => s.bind !== 0 && typeof s.place !== "string").map((s) => s.name);
}

function exposedBy(parts: readonly Part[]): Shared["exposed"] {
  return new Map(
    parts.flatMap(({ owner, delta, locate }) => delta.exposed.map((symbol) => [symbol.name, { owner, place: locate(symbol) }] as const)),
  );
}

/** Adds the contents of a delta's object. Its undefined symbols are replaced by the shared ones. */
function append(elf: ElfObject, from: ElfObject, replaced: ReadonlyMap<ElfSymbol, ElfSymbol>): void {
  const tables = new Set([from.symtab, from.shstrtab, from.symtab?.link]);
  const contents = from.sections.filter((s) => !tables.has(s));
  for (const table of [...relocationSections(from).values()].flat()) {
    table.link = elf.symtab;
    for (const relocation of table.relocations)
      if (relocation.symbol !== undefined) relocation.symbol = replaced.get(relocation.symbol) ?? relocation.symbol;
  }
  elf.sections.splice(elf.sections.length - tables.size, 0, ...contents);
  elf.symbols.push(...from.symbols.filter((s) => !replaced.has(s)));
}

/** What one object of the patch adds, another may use. */
function linkInside(elf: ElfObject, outside: Map<string, ElfSymbol>, news: ReadonlySet<string>): void {
  const defined = new Map(elf.symbols.filter((s) => s.bind !== 0 && typeof s.place !== "string").map((s) => [s.name, s]));
  for (const name of news) {
    const wanted = outside.get(name);
    const symbol = defined.get(name);
    if (wanted === undefined || symbol === undefined) continue;
    outside.delete(name);
    for (const table of [...relocationSections(elf).values()].flat())
      for (const relocation of table.relocations) if (relocation.symbol === wanted) relocation.symbol = symbol;
  }
}
