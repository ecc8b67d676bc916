/** The special sections as tables: their entries, by the function that each belongs to. */
import { relocationKind, type Section, viewOf } from "@suture/elf";
import type { Body } from "./compare.ts";
import { fail } from "./errors.ts";
import { type Cut, type Item, isItem, type Ref } from "./items.ts";
import { ALT_REPLACEMENT, type TableKind, type TypeLayouts, tables } from "./x86-64.ts";

export interface Entry extends Body {
  table: TableKind;
  /** `bytes` without what may differ between equal entries. */
  compared: Uint8Array;
  section: Section;
  /** The function, and the byte in it, that the entry's first field points at. */
  owner: Item;
  at: number;
  /** The entry of the table beside. */
  beside: { section: Section; bytes: Uint8Array } | undefined;
  /** Replacement instructions, and the field of the entry that points at them. */
  replacement: (Body & { field: number }) | undefined;
}

/** Entries by owner, in the order of the places they point at. */
export function entriesOf(cut: Cut, layouts: TypeLayouts): Map<Item, Entry[]> {
  const byOwner = new Map<Item, Entry[]>();
  for (const table of tables) {
    const section = cut.elf.sections.find((s) => s.name === table.section);
    if (section === undefined || section.size === 0) continue;
    for (const entry of read(cut, table, section, layouts)) {
      const list = byOwner.get(entry.owner);
      if (list === undefined) byOwner.set(entry.owner, [entry]);
      else list.push(entry);
    }
  }
  for (const list of byOwner.values()) list.sort((a, b) => order(a) - order(b) || a.at - b.at);
  return byOwner;
}

function order(entry: Entry): number {
  return tables.indexOf(entry.table);
}

function sizeOf(structure: string, layouts: TypeLayouts, cut: Cut, section: string): number {
  const size = layouts.size(structure);
  if (size === undefined || size === 0)
    throw fail("DIFF_TABLE", `the kernel's types have no struct ${structure}`, { file: cut.elf.file, section });
  return size;
}

function* read(cut: Cut, table: TableKind, section: Section, layouts: TypeLayouts): Generator<Entry> {
  const { file } = cut.elf;
  const size = typeof table.size === "number" ? table.size : sizeOf(table.size.struct, layouts, cut, section.name);
  if (section.size % size !== 0)
    throw fail("DIFF_TABLE", `${section.size} bytes are no whole number of entries of ${size}`, { file, section: section.name });
  const relocations = cut.relocations.get(section) ?? [];
  const beside = table.beside === undefined ? undefined : besideOf(cut, table.beside, section, size, layouts);
  let next = 0;
  for (let start = 0; start < section.size; start += size) {
    const refs: Ref[] = [];
    for (let r = relocations[next]; r !== undefined && r.offset < start + size; r = relocations[++next])
      refs.push(cut.resolve(section, r, r.offset - start));
    const key = refs[0];
    const where = { file, section: section.name, offset: start };
    // objtool leaves entries of code that it removed, and empty ones, without a relocation.
    if (key === undefined) continue;
    if (key.at !== 0 || !isItem(key.to)) throw fail("DIFF_TABLE", "an entry does not start with a pointer to code of this object", where);
    const index = start / size;
    const bytes = section.data.subarray(start, start + size);
    yield {
      table,
      compared: masked(bytes, table, layouts),
      section,
      owner: key.to,
      at: key.target,
      bytes,
      size,
      refs,
      beside:
        beside === undefined
          ? undefined
          : { section: beside.section, bytes: beside.section.data.subarray(index * beside.size, (index + 1) * beside.size) },
      replacement: replacementOf(cut, table, section, start, refs, layouts),
    };
  }
}

function masked(bytes: Uint8Array, table: TableKind, layouts: TypeLayouts): Uint8Array {
  if (table.noise === undefined || typeof table.size === "number") return bytes;
  const field = layouts.member(table.size.struct, table.noise);
  return field === undefined ? bytes : Uint8Array.from(bytes).fill(0, field.offset, field.offset + field.size);
}

function besideOf(
  cut: Cut,
  beside: { section: string; struct: string },
  section: Section,
  entrySize: number,
  layouts: TypeLayouts,
): { section: Section; size: number } {
  const other = cut.elf.sections.find((s) => s.name === beside.section);
  const size = sizeOf(beside.struct, layouts, cut, beside.section);
  if (other === undefined || other.size / size !== section.size / entrySize)
    throw fail("DIFF_TABLE", `${beside.section} does not have an entry for each of ${section.name}`, {
      file: cut.elf.file,
      section: beside.section,
    });
  return { section: other, size };
}

function replacementOf(
  cut: Cut,
  table: TableKind,
  section: Section,
  start: number,
  refs: Ref[],
  layouts: TypeLayouts,
): Entry["replacement"] {
  if (table.replacement === undefined || typeof table.size === "number") return undefined;
  const where = { file: cut.elf.file, section: section.name, offset: start };
  const field = layouts.member(table.size.struct, table.replacement.field);
  const length = layouts.member(table.size.struct, table.replacement.length);
  if (field === undefined || length === undefined || length.size !== 1)
    throw fail("DIFF_TABLE", `struct ${table.size.struct} does not say where the replacement is`, where);
  const bytes = viewOf(section.data).getUint8(start + length.offset);
  if (bytes === 0) return undefined;
  const index = refs.findIndex((r) => r.at === field.offset);
  const ref = refs[index];
  if (ref === undefined || !isItem(ref.to) || ref.to.section.name !== ALT_REPLACEMENT)
    throw fail("DIFF_TABLE", `an alternative's replacement is not in ${ALT_REPLACEMENT}`, where);
  // The replacement is the entry's own: it is carried and compared with it, not referred to.
  refs.splice(index, 1);
  const from = ref.to.start + ref.target;
  const pool = ref.to;
  if (from + bytes > pool.end) throw fail("DIFF_TABLE", "an alternative's replacement reaches past its section", where);
  return {
    field: field.offset,
    bytes: pool.section.data.subarray(from, from + bytes),
    size: bytes,
    refs: pool.refs
      .filter((r) => pool.start + r.at >= from && pool.start + r.at < from + bytes)
      .map((r) => ({ ...r, at: pool.start + r.at - from })),
  };
}

/** Bytes that a reference's field takes. */
export function fieldSize(ref: Ref): number {
  return relocationKind(ref.type)?.size ?? 4;
}
