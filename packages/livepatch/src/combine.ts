/** The deltas of all objects of a patch become one relocatable object, with every outside symbol under the name that the module will use. */
import type { Delta } from "@suture/diff";
import { type ElfObject, type ElfSymbol, newObject, newSymbol, relocationSections, STB } from "@suture/elf";
import type { Btf } from "@suture/kernel";
import type { CallbackKind } from "@suture/protocol";
import { AddedGlobals } from "./added-globals.ts";
import { addDescriptor, addKernel, type DescribedObject, type KernelIdentity, PATCH_SYMBOL, type State } from "./descriptor.ts";
import { fail } from "./errors.ts";
import { klpSymbolName, splitUser } from "./names.ts";
import { type KernelView, type Locate, type Owner, type Resolved, resolveExternal, type Shared, type SymbolSources } from "./resolve.ts";

/** What was changed in one object of the kernel. */
export interface Part {
  /** Path of the object in the source tree. */
  object: string;
  owner: Owner;
  delta: Pick<Delta, "object" | "functions" | "callbacks" | "externals" | "exposed">;
  locate: Locate;
}

export interface Combined {
  object: ElfObject;
  functions: { object: string; owner: string; name: string; sympos: number; sizeBefore: number; size: number; why: string }[];
  callbacks: { object: string; owner: string; kind: CallbackKind; name: string }[];
  symbols: Resolved[];
}

export interface CombineOptions {
  name: string;
  replace: boolean;
  /** What the patch does to the system; none unless given. */
  states?: readonly State[] | undefined;
  symbolSources: SymbolSources;
  btf: Btf;
}

/** @throws KLP_UNRESOLVED, KLP_AMBIGUOUS, KLP_DUPLICATE_FUNCTION, KLP_DUPLICATE_CALLBACK, KLP_STATE, KLP_TYPES */
export function combine(parts: readonly Part[], options: CombineOptions): Combined {
  const [first] = parts.flatMap(({ delta }) => delta.object ?? []);
  if (first === undefined) throw new Error("nothing is to be combined");
  const elf = newObject(options.name, first);
  const addedGlobals = new AddedGlobals(parts);
  const shared: Shared = { addedGlobals: new Set([PATCH_SYMBOL, ...addedGlobals.names]), exposed: exposedBy(parts) };
  const outside = new Map<string, ElfSymbol>();
  const resolved = new Map<string, Resolved>();
  const described = new Map<string, DescribedObject>();
  const functions: Combined["functions"] = [];
  const callbacks: Combined["callbacks"] = [];
  for (const part of parts) {
    const { object } = part.delta;
    if (object === undefined) continue;
    const replaced = new Map<ElfSymbol, Replacement>();
    for (const external of part.delta.externals) {
      const how = resolveExternal(external, part.owner, part.locate, options.symbolSources, shared, part.object);
      resolved.set(how.symbol, how);
      const added = how.how === "patch" ? addedGlobals.meant(how.name, part.owner.name, part.object) : undefined;
      let symbol = added ?? outside.get(how.symbol);
      if (symbol === undefined) {
        symbol = newSymbol({ name: how.symbol, place: "undef", bind: 1 });
        outside.set(how.symbol, symbol);
      }
      replaced.set(external.symbol, { symbol, offset: external.anchor?.offset ?? 0 });
    }
    append(elf, object, replaced);
    for (const func of part.delta.functions) {
      const { name, sympos } = part.locate(func.original);
      const twin = functions.find((f) => f.owner === part.owner.name && f.name === name && f.sympos === sympos);
      if (twin !== undefined)
        throw fail("KLP_DUPLICATE_FUNCTION", `${func.name} is replaced by ${twin.object} and by ${part.object}`, {
          file: part.object,
          symbol: func.name,
        });
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
    for (const { kind, name, symbol } of part.delta.callbacks) {
      const known = callbacks.find((other) => other.owner === part.owner.name && other.kind === kind);
      if (known !== undefined)
        throw fail("KLP_DUPLICATE_CALLBACK", `${known.name} of ${known.object} and ${name} are both ${kind} of ${part.owner.name}`, {
          file: part.object,
          symbol: name,
        });
      objectOf(described, part.owner.name).callbacks.set(kind, symbol);
      callbacks.push({ object: part.object, owner: part.owner.name, kind, name });
    }
  }
  elf.symbols.push(...outside.values());
  const { states = [], replace, btf } = options;
  addDescriptor(elf, { objects: [...described.values()], states, replace }, btf);
  addKernel(elf, identityOf(options.symbolSources.kernel, elf));
  const symbols = [...resolved.values()]
    .map((r) => ({ ...r, symbol: splitUser(r.symbol).symbol }))
    .sort((a, b) => (a.symbol < b.symbol ? -1 : 1));
  return { object: elf, functions, callbacks, symbols };
}

/** Found by name, whatever the kernel is. */
function identityOf({ buildId }: KernelView, elf: ElfObject): KernelIdentity | undefined {
  if (buildId === undefined) return undefined;
  const { bytes, symbol: name, offset } = buildId;
  const symbol = newSymbol({ name: klpSymbolName({ object: "vmlinux", name, sympos: 0 }), place: "undef", bind: STB.GLOBAL });
  elf.symbols.push(symbol);
  return { bytes, symbol, offset };
}

function objectOf(described: Map<string, DescribedObject>, owner: string): DescribedObject {
  let object = described.get(owner);
  if (object === undefined) {
    object = { module: owner === "vmlinux" ? undefined : owner, functions: [], callbacks: new Map() };
    described.set(owner, object);
  }
  return object;
}

function exposedBy(parts: readonly Part[]): Shared["exposed"] {
  return new Map(
    parts.flatMap(({ owner, delta, locate }) =>
      delta.exposed.map(({ name, symbol }) => [name, { owner, place: () => locate(symbol) }] as const),
    ),
  );
}

/** What stands for an undefined symbol of a delta's object: a shared one, and the bytes from there. */
interface Replacement {
  symbol: ElfSymbol;
  offset: number;
}

/** Adds the contents of a delta's object. Its undefined symbols are replaced by the shared ones. */
function append(elf: ElfObject, from: ElfObject, replaced: ReadonlyMap<ElfSymbol, Replacement>): void {
  const tables = new Set([from.symtab, from.shstrtab, from.symtab?.link]);
  const contents = from.sections.filter((s) => !tables.has(s));
  for (const table of [...relocationSections(from).values()].flat()) {
    table.link = elf.symtab;
    for (const relocation of table.relocations) {
      const by = relocation.symbol === undefined ? undefined : replaced.get(relocation.symbol);
      if (by === undefined) continue;
      relocation.symbol = by.symbol;
      relocation.addend += by.offset;
    }
  }
  elf.sections.splice(elf.sections.length - tables.size, 0, ...contents);
  elf.symbols.push(...from.symbols.filter((s) => !replaced.has(s)));
}
