/** The special tables of the object, entry by entry, by the code that each is about. */
import { entryCount, type SpecialTable, type TypeLayouts } from "@suture/arch";
import { isSection, type Relocation, type Section } from "@suture/elf";
import { fail } from "./errors.ts";
import type { Part, Parts } from "./items.ts";

export interface Entry {
  /** The section that holds it. */
  table: Section;
  /** Bytes from the table's start. The last entry may end before its structure does. */
  start: number;
  end: number;
  /** The first of them is the key: it starts the entry. */
  relocations: readonly Relocation[];
  /** The code that the entry is about. */
  code: Part;
  offset: number;
}

export interface ObjectTable {
  kind: SpecialTable;
  /** Undefined if the object has none: then the kernel must have no entries about its code. */
  part: Part | undefined;
  /** Bytes of an entry. */
  size: number;
  entries: readonly Entry[];
  beside: { part: Part; size: number } | undefined;
  /** Where an entry says how many bytes of code it is about, if its kind does. */
  covers: { offset: number; size: number } | undefined;
}

/** A table of every kind. @throws PROOF_NO_LAYOUT, PROOF_BAD_TABLE */
export function tablesOf(parts: Parts, layouts: TypeLayouts): ObjectTable[] {
  const found: ObjectTable[] = [];
  for (const kind of parts.arch.tables.all) {
    const own = parts.all.filter(({ section, role }) => role === "table" && section.name === kind.section && section.size > 0);
    found.push(...own.map((part) => read(kind, part, parts, layouts)));
    // A kernel without the structure has no such table.
    const size = typeof kind.size === "number" ? kind.size : layouts.size(kind.size.struct);
    if (own.length === 0 && size !== undefined && size > 0)
      found.push({ kind, part: undefined, size, entries: [], beside: undefined, covers: undefined });
  }
  return found;
}

function read(kind: SpecialTable, part: Part, parts: Parts, layouts: TypeLayouts): ObjectTable {
  const { file } = parts.elf;
  const where = { file, section: part.section.name };
  const size = typeof kind.size === "number" ? kind.size : structSize(kind.size.struct, layouts, file, kind.section);
  if (entryCount(part.section.size, size, kind) === undefined)
    throw fail("PROOF_BAD_TABLE", `${part.section.size} bytes are no whole number of entries of ${size}`, where);
  const beside = kind.beside === undefined ? undefined : besideOf(kind.beside, part, size, parts, layouts);
  const entries: Entry[] = [];
  let next = 0;
  for (let start = 0; start < part.section.size; start += size) {
    const first = next;
    while ((part.relocations[next]?.offset ?? Number.POSITIVE_INFINITY) < start + size) next++;
    const relocations = part.relocations.slice(first, next);
    const [key] = relocations;
    // objtool leaves entries of code that it removed, and empty ones, without a relocation.
    if (key === undefined) continue;
    const place = key.symbol?.place;
    const code = place !== undefined && isSection(place) ? parts.of(place) : undefined;
    if (key.offset !== start || key.type !== kind.pointer || code === undefined || key.symbol === undefined)
      throw fail("PROOF_BAD_TABLE", "an entry does not start with a pointer to code of this object", { ...where, offset: start });
    const end = Math.min(start + size, part.section.size);
    entries.push({ table: part.section, start, end, relocations, code, offset: key.symbol.value + key.addend });
  }
  const covers = kind.covers === undefined || typeof kind.size === "number" ? undefined : layouts.member(kind.size.struct, kind.covers);
  return { kind, part, size, entries, beside, covers };
}

function structSize(struct: string, layouts: TypeLayouts, file: string, section: string): number {
  const size = layouts.size(struct);
  if (size === undefined || size <= 0) throw fail("PROOF_NO_LAYOUT", `the kernel's types have no struct ${struct}`, { file, section });
  return size;
}

function besideOf(
  beside: NonNullable<SpecialTable["beside"]>,
  part: Part,
  entry: number,
  parts: Parts,
  layouts: TypeLayouts,
): { part: Part; size: number } {
  const { file } = parts.elf;
  const size = structSize(beside.struct, layouts, file, beside.section);
  const other = parts.all.find(({ section }) => section.name === beside.section);
  if (other === undefined || other.section.size / size !== part.section.size / entry)
    throw fail("PROOF_BAD_TABLE", `${beside.section} does not have an entry for each of ${part.section.name}`, {
      file,
      section: beside.section,
    });
  return { part: other, size };
}
