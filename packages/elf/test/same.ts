/** Whether two objects say the same, wherever in their files they say it. */
import { type ElfObject, type ElfSymbol, isSection, type Section } from "../src/index.ts";

/** The first difference in words, or undefined. */
export function difference(a: ElfObject, b: ElfObject): string | undefined {
  for (const field of ["type", "machine", "flags", "entry", "osabi", "abiVersion"] as const)
    if (a[field] !== b[field]) return `${field}: ${a[field]} and ${b[field]}`;
  if (a.sections.length !== b.sections.length) return `${a.sections.length} and ${b.sections.length} sections`;
  if (a.symbols.length !== b.symbols.length) return `${a.symbols.length} and ${b.symbols.length} symbols`;
  const sections = new Map(a.sections.map((section, i) => [section, b.sections[i]]));
  const symbols = new Map(a.symbols.map((symbol, i) => [symbol, b.symbols[i]]));
  const sameSection = (x: Section | undefined, y: Section | undefined): boolean =>
    x === undefined ? y === undefined : sections.get(x) === y;
  const sameSymbol = (x: ElfSymbol | undefined, y: ElfSymbol | undefined): boolean =>
    x === undefined ? y === undefined : symbols.get(x) === y;
  for (const [x, y] of symbols) {
    if (y === undefined) return "a symbol is gone";
    for (const field of ["name", "value", "size", "bind", "type", "other"] as const)
      if (x[field] !== y[field]) return `${field} of symbol ${x.name}: ${x[field]} and ${y[field]}`;
    if (isSection(x.place) ? !isSection(y.place) || !sameSection(x.place, y.place) : x.place !== y.place)
      return `place of symbol ${x.name}`;
  }
  for (const [x, y] of sections) {
    if (y === undefined) return "a section is gone";
    for (const field of ["name", "type", "flags", "addr", "align", "entsize", "size", "nobitsSize"] as const)
      if (x[field] !== y[field]) return `${field} of section ${x.name}: ${x[field]} and ${y[field]}`;
    if (!sameSection(x.link, y.link) || !sameSection(x.target, y.target)) return `link or target of section ${x.name}`;
    if (x.relocations.length !== y.relocations.length) return `relocations of ${x.name}`;
    for (const [i, r] of x.relocations.entries()) {
      const s = y.relocations[i];
      if (s === undefined || r.offset !== s.offset || r.type !== s.type || r.addend !== s.addend || !sameSymbol(r.symbol, s.symbol))
        return `relocation ${i} of ${x.name}`;
    }
    if (x.group !== undefined || y.group !== undefined) {
      if (x.group === undefined || y.group === undefined || x.group.flags !== y.group.flags) return `group ${x.name}`;
      const members = y.group.members;
      if (x.group.members.length !== members.length || !x.group.members.every((m, i) => sameSection(m, members[i])))
        return `members of ${x.name}`;
      if (!sameSymbol(x.group.signature, y.group.signature)) return `signature of ${x.name}`;
    }
  }
  return undefined;
}
