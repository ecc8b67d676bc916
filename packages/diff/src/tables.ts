/** The special sections as tables: their entries, by the code that each belongs to. */
import { entryCount, type SpecialTable, type TypeLayouts } from "@suture/arch";
import type { Section } from "@suture/elf";
import type { Body } from "./compare.ts";
import { fail } from "./errors.ts";
import { type Item, type ItemizedObject, isItem, type Ref } from "./items.ts";

export interface Entry extends Body {
  table: SpecialTable;
  /** `bytes` without what may differ between equal entries. */
  compared: Uint8Array;
  section: Section;
  /** Bytes from the section's start. */
  start: number;
  /** The item, and the byte in it, that the entry's first field points at. */
  owner: Item;
  at: number;
  /** The static key or static call that switches the code. */
  key: Ref | undefined;
  /** The entry of the table beside. */
  beside: { section: Section; bytes: Uint8Array } | undefined;
  /** Replacement instructions, and the field of the entry that points at them. */
  replacement: Replacement | undefined;
}

export interface Replacement extends Body {
  field: number;
  /** Where they stand: the item of the replacements' section and the byte in it. */
  pool: Item;
  from: number;
}

/** Entries by owner, in the order of the tables and of the places they point at. */
export type Entries = ReadonlyMap<Item, readonly Entry[]>;

export function entriesOf(itemized: ItemizedObject, layouts: TypeLayouts): Entries {
  const byOwner = new Map<Item, Entry[]>();
  const tables = itemized.arch.tables.carried;
  for (const table of [...tables, ...constantTables(itemized)])
    for (const section of itemized.elf.sections) {
      if (section.name !== table.section || section.size === 0) continue;
      for (const entry of read(itemized, table, section, layouts)) {
        const list = byOwner.get(entry.owner);
        if (list === undefined) byOwner.set(entry.owner, [entry]);
        else list.push(entry);
      }
    }
  const order = new Map(tables.map(({ section }, i) => [section, i]));
  const place = ({ table: { section } }: Entry): number => order.get(section) ?? tables.length;
  const byName = (a: Entry, b: Entry): number => (a.section.name < b.section.name ? -1 : a.section.name > b.section.name ? 1 : 0);
  for (const list of byOwner.values()) list.sort((a, b) => place(a) - place(b) || byName(a, b) || a.at - b.at);
  return byOwner;
}

function constantTables({ elf, arch }: ItemizedObject): SpecialTable[] {
  const names = elf.sections.map(({ name }) => name).filter((name) => arch.tables.constants.some((start) => name.startsWith(start)));
  return [...new Set(names)].map((section) => arch.tables.constantTable(section));
}

function structSize(structure: string, layouts: TypeLayouts, itemized: ItemizedObject, section: string): number {
  const size = layouts.size(structure);
  if (size === undefined || size === 0)
    throw fail("DIFF_TABLE", `the kernel's types have no struct ${structure}`, { file: itemized.elf.file, section });
  return size;
}

/** Bytes of an entry that hold `member`. */
function memberOf(table: SpecialTable, member: string, layouts: TypeLayouts, itemized: ItemizedObject): { offset: number; size: number } {
  const struct = typeof table.size === "number" ? undefined : table.size.struct;
  const found = struct === undefined ? undefined : layouts.member(struct, member);
  if (found === undefined)
    throw fail("DIFF_TABLE", `the kernel's types have no ${struct}.${member}`, { file: itemized.elf.file, section: table.section });
  return found;
}

function* read(itemized: ItemizedObject, table: SpecialTable, section: Section, layouts: TypeLayouts): Generator<Entry> {
  const { file } = itemized.elf;
  const size = typeof table.size === "number" ? table.size : structSize(table.size.struct, layouts, itemized, section.name);
  if (entryCount(section.size, size, table) === undefined)
    throw fail("DIFF_TABLE", `${section.size} bytes are no whole number of entries of ${size}`, { file, section: section.name });
  const relocations = itemized.relocations.get(section) ?? [];
  const beside = table.beside === undefined ? undefined : besideOf(itemized, table.beside, section, size, layouts);
  const replacement = replacementFields(itemized, table, layouts);
  const keyField = table.key === undefined ? undefined : memberOf(table, table.key, layouts, itemized);
  // Kernels that do not tell lines have no such field.
  const noise = table.noise === undefined || typeof table.size === "number" ? undefined : layouts.member(table.size.struct, table.noise);
  let next = 0;
  for (let start = 0; start < section.size; start += size) {
    const refs: Ref[] = [];
    for (let r = relocations[next]; r !== undefined && r.offset < start + size; r = relocations[++next])
      refs.push(itemized.resolve(section, r, r.offset - start));
    const [first] = refs;
    const where = { file, section: section.name, offset: start };
    // objtool leaves entries of code that it removed, and empty ones, without a relocation.
    if (first === undefined) continue;
    if (first.at !== 0 || !isItem(first.to))
      throw fail("DIFF_TABLE", "an entry does not start with a pointer to code of this object", where);
    const index = start / size;
    const bytes = wholeEntry(section.data.subarray(start, start + size), size);
    const key = keyField === undefined ? undefined : refs.find((ref) => ref.at === keyField.offset);
    if (keyField !== undefined && key === undefined) throw fail("DIFF_TABLE", "an entry has no key", where);
    yield {
      table,
      compared: noise === undefined ? bytes : Uint8Array.from(bytes).fill(0, noise.offset, noise.offset + noise.size),
      section,
      start,
      owner: first.to,
      at: first.target,
      bytes,
      size,
      key,
      // The replacement is the entry's own: it is carried and compared with it, not referred to.
      replacement: replacement === undefined ? undefined : takeReplacement(replacement, bytes, refs, where),
      refs,
      beside:
        beside === undefined
          ? undefined
          : { section: beside.section, bytes: beside.section.data.subarray(index * beside.size, (index + 1) * beside.size) },
    };
  }
}

function wholeEntry(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length === size) return bytes;
  const whole = new Uint8Array(size);
  whole.set(bytes);
  return whole;
}

function besideOf(
  itemized: ItemizedObject,
  beside: { section: string; struct: string },
  section: Section,
  entrySize: number,
  layouts: TypeLayouts,
): { section: Section; size: number } {
  const other = itemized.elf.sections.find((s) => s.name === beside.section);
  const size = structSize(beside.struct, layouts, itemized, beside.section);
  if (other === undefined || other.size / size !== section.size / entrySize)
    throw fail("DIFF_TABLE", `${beside.section} does not have an entry for each of ${section.name}`, {
      file: itemized.elf.file,
      section: beside.section,
    });
  return { section: other, size };
}

interface ReplacementFields {
  /** Byte offset of the pointer. */
  field: number;
  /** Byte offset of the length, one byte. */
  length: number;
}

function replacementFields(itemized: ItemizedObject, table: SpecialTable, layouts: TypeLayouts): ReplacementFields | undefined {
  if (table.replacement === undefined) return undefined;
  const field = memberOf(table, table.replacement.field, layouts, itemized);
  const length = memberOf(table, table.replacement.length, layouts, itemized);
  if (field.size !== 4 || length.size !== 1)
    throw fail(
      "DIFF_TABLE",
      `${table.replacement.field} has ${field.size} bytes, ${table.replacement.length} ${length.size}; 4 and 1 are known`,
      {
        file: itemized.elf.file,
        section: table.section,
      },
    );
  return { field: field.offset, length: length.offset };
}

/** Takes the reference to replacement code out of `refs`. */
function takeReplacement(
  { field, length }: ReplacementFields,
  bytes: Uint8Array,
  refs: Ref[],
  where: { file: string; section: string; offset: number },
): Replacement | undefined {
  const index = refs.findIndex((r) => r.at === field);
  const [ref] = index < 0 ? [] : refs.splice(index, 1);
  const size = bytes[length] ?? 0;
  // Nothing but padding replaces the code: what the pointer says is not read.
  if (size === 0) return undefined;
  if (ref === undefined || !isItem(ref.to) || ref.to.section.name !== ref.to.arch.tables.replacements)
    throw fail("DIFF_TABLE", "an alternative's replacement is not in the section of replacements", where);
  const pool = ref.to;
  const from = ref.target;
  if (from < 0 || pool.start + from + size > pool.end)
    throw fail("DIFF_TABLE", "an alternative's replacement reaches past its section", where);
  return {
    field,
    pool,
    from,
    bytes: pool.section.data.subarray(pool.start + from, pool.start + from + size),
    size,
    refs: within(pool.refs, from, from + size),
  };
}

/** Of references in order, those in a range, counted from its start. */
function within(refs: readonly Ref[], from: number, to: number): Ref[] {
  let low = 0;
  let high = refs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((refs[middle]?.at ?? 0) < from) low = middle + 1;
    else high = middle;
  }
  const found: Ref[] = [];
  for (let ref = refs[low]; ref !== undefined && ref.at < to; ref = refs[++low]) found.push({ ...ref, at: ref.at - from });
  return found;
}
