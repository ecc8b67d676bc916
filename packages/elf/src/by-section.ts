/** What sections define and refer to, for those who take objects apart. */
import { R_NONE, STT } from "./format.ts";
import { type ElfObject, type ElfSymbol, isSection, type Relocation, relocationSections, type Section } from "./model.ts";

/** Functions, variables and labels by the section that defines them, in file order. */
export function symbolsBySection(elf: ElfObject): Map<Section, ElfSymbol[]> {
  const bySection = new Map<Section, ElfSymbol[]>();
  for (const symbol of elf.symbols) {
    if (!isSection(symbol.place) || symbol.type === STT.SECTION || symbol.type === STT.FILE || symbol.name === "") continue;
    const list = bySection.get(symbol.place);
    if (list === undefined) bySection.set(symbol.place, [symbol]);
    else list.push(symbol);
  }
  return bySection;
}

/** The relocations of each section that mean something, by offset: objtool leaves some of type NONE behind. */
export function relocationsBySection(elf: ElfObject): Map<Section, Relocation[]> {
  const bySection = new Map<Section, Relocation[]>();
  for (const [target, tables] of relocationSections(elf)) {
    const list: Relocation[] = [];
    let sorted = true;
    for (const table of tables)
      for (const relocation of table.relocations) {
        if (relocation.type === R_NONE) continue;
        if (relocation.offset < (list[list.length - 1]?.offset ?? 0)) sorted = false;
        list.push(relocation);
      }
    if (!sorted) list.sort((a, b) => a.offset - b.offset);
    bySection.set(target, list);
  }
  return bySection;
}

/** Of relocations by offset, the index of the first at or behind one. */
export function firstFrom(relocations: readonly Relocation[], offset: number): number {
  let low = 0;
  let high = relocations.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((relocations[middle] as Relocation).offset < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
