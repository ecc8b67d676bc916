/** What the compiled object says of a source file: which functions and variables there really are, and who uses what. */
import { archOf } from "@suture/arch";
import { type ElfObject, type ElfSymbol, isSection, type Section, SHF, SHT, STB, STT } from "@suture/elf";

export interface FunctionFact {
  /** Calls of it can be redirected. */
  hasEntry: boolean;
  /** Stands in what is thrown away after the boot. */
  init: boolean;
  isGlobal: boolean;
  /** Names of symbols that its code refers to; of a variable that has a section of its own, the variable's. */
  refers: ReadonlySet<string>;
  /** Its bytes, and the distances into variables that it refers to, to be compared. */
  bytes: string;
  /** These, and the names that it refers to. */
  code: string;
}

export interface VariableFact {
  size: number;
  section: string;
  writable: boolean;
  isGlobal: boolean;
  /** All names of it. */
  names: readonly string[];
  /** Functions that are not thrown away, whose code refers to it. */
  users: readonly string[];
}

export interface Facts {
  functions: ReadonlyMap<string, FunctionFact>;
  /** By the symbol's name: `count`, and `count.3` for one of a function. */
  variables: ReadonlyMap<string, VariableFact>;
  /** All that is in the kernel's memory of it: two objects with the same text are the same. */
  everything: string;
}

export function factsOf(elf: ElfObject): Facts {
  const bySection = new Map<Section, ElfSymbol[]>();
  for (const symbol of elf.symbols)
    if (isSection(symbol.place) && (symbol.type === STT.FUNC || symbol.type === STT.OBJECT)) {
      const list = bySection.get(symbol.place) ?? [];
      list.push(symbol);
      bySection.set(symbol.place, list);
    }
  const destination = (symbol: ElfSymbol | undefined, addend: number): Pick<Reference, "name" | "distance"> => {
    if (symbol === undefined) return { name: "", distance: addend };
    const isWritable = isSection(symbol.place) && (symbol.place.flags & SHF.WRITE) !== 0;
    if (symbol.type !== STT.SECTION || !isSection(symbol.place))
      return { name: symbol.name, distance: symbol.type === STT.FUNC ? 0 : addend };
    const inside = bySection.get(symbol.place) ?? [];
    const exact = inside.find(({ value, size }) => addend >= value && addend < value + Math.max(size, 1));
    // Strings and code of one section move with each change; members of a variable do not.
    return {
      name: (exact ?? inside[0])?.name ?? symbol.place.name,
      distance: exact !== undefined && isWritable ? addend - exact.value : 0,
    };
  };
  const references = new Map<Section, Reference[]>();
  const entries = new Map<Section, number[]>();
  for (const section of elf.sections) {
    if (section.type !== SHT.RELA || section.target === undefined) continue;
    const found = section.relocations.map(({ offset, symbol, addend, type }) => ({
      offset,
      ...destination(symbol, archOf(elf).relocations.isPcRelative(type) ? addend + 4 : addend),
    }));
    if (section.target.name === "__mcount_loc")
      for (const { symbol, addend } of section.relocations)
        if (symbol !== undefined && isSection(symbol.place))
          entries.set(symbol.place, [...(entries.get(symbol.place) ?? []), symbol.value + addend]);
    references.set(section.target, [...(references.get(section.target) ?? []), ...found]);
  }
  const functions = new Map<string, FunctionFact>();
  const variables = new Map<string, VariableFact & { users: string[] }>();
  for (const [section, symbols] of bySection)
    for (const symbol of symbols) {
      const isGlobal = symbol.bind !== STB.LOCAL;
      if (symbol.type === STT.FUNC) {
        // Several functions may be in one section: .sched.text.
        const [from, to] = [symbol.value, symbol.value + symbol.size];
        const inside = (at: number): boolean => at >= from && at < to;
        const found = (references.get(section) ?? []).filter(({ offset }) => inside(offset));
        const refers = found.map(({ name }) => name);
        const bytes = `${Buffer.from(section.data.subarray(from, to)).toString("base64")} ${found.map(({ distance }) => distance).join(" ")}`;
        functions.set(symbol.name, {
          hasEntry: (entries.get(section) ?? []).some(inside),
          init: /^\.(?:init|exit|meminit)/.test(section.name),
          isGlobal,
          refers: new Set(refers),
          bytes,
          code: `${bytes} ${refers.join(" ")}`,
        });
      } else if (symbol.size > 0)
        variables.set(symbol.name, {
          size: symbol.size,
          section: section.name,
          writable: (section.flags & SHF.WRITE) !== 0,
          isGlobal,
          names: symbols.filter(({ type, value }) => type === STT.OBJECT && value === symbol.value).map(({ name }) => name),
          users: [],
        });
    }
  for (const [name, { refers, init }] of functions) if (!init) for (const variable of refers) variables.get(variable)?.users.push(name);
  return { functions, variables, everything: everythingOf(elf, references) };
}

interface Reference {
  offset: number;
  name: string;
  /** From the start of a variable. */
  distance: number;
}

/** Tables of the tools that follow from the code are left out, and so are notes. */
function everythingOf(elf: ElfObject, references: ReadonlyMap<Section, Reference[]>): string {
  return elf.sections
    .filter(
      ({ flags, type, name }) => (flags & SHF.ALLOC) !== 0 && type !== SHT.NOTE && !/^\.(?:orc|BTF)|^\.discard|^__mcount_loc/.test(name),
    )
    .map((section) => {
      const data = section.type === SHT.NOBITS ? `${section.nobitsSize} bytes` : Buffer.from(section.data).toString("base64");
      return `${section.name} ${data} ${(references.get(section) ?? []).map(({ name, distance }) => `${name}+${distance}`).join(" ")}`;
    })
    .sort()
    .join("\n");
}

/** The symbol of a variable in an object: of a static one of a function, the only one of that name. */
export function variableSymbol(facts: Facts, name: string, ofFunction: boolean): string | undefined {
  if (!ofFunction) return facts.variables.has(name) ? name : undefined;
  const all = [...facts.variables.keys()].filter((symbol) => /^\.\d+$/.test(symbol.slice(name.length)) && symbol.startsWith(name));
  return all.length === 1 ? all[0] : undefined;
}
