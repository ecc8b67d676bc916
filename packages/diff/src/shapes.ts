/**
 * How entries of the special tables lie, where no types say it: the shapes that kernels of the processor have had. One is taken only if no
 * other fits: the section's size, and the fields that its relocations fill in.
 */
import { type Arch, archOf, type EntryShape, entryCount, type SpecialTable, type TypeLayouts } from "@suture/arch";
import { type ElfObject, type Relocation, relocationsBySection, type Section } from "@suture/elf";
import { fail } from "./errors.ts";

/** The section whose entries are of each structure. */
function sectionsOf({ tables }: Arch): ReadonlyMap<string, { section: string; table: SpecialTable }> {
  return new Map(
    tables.carried.flatMap((table) => [
      ...(typeof table.size === "number" ? [] : [[table.size.struct, { section: table.section, table }] as const]),
      ...(table.beside === undefined ? [] : [[table.beside.struct, { section: table.beside.section, table }] as const]),
    ]),
  );
}

export interface Layouts extends TypeLayouts {
  /** Sections whose entries' size was said by nobody, and what it must be. */
  inferred: ReadonlyMap<string, number>;
}

/**
 * @param types what the objects themselves say
 * @param given bytes of an entry, by section
 * @throws DIFF_ENTRY_SIZE where nothing says how entries lie, or where it is said in two ways
 */
export function layoutsOfObjects(
  objects: readonly ElfObject[],
  types: TypeLayouts | undefined,
  given: ReadonlyMap<string, number>,
): Layouts {
  const [first] = objects;
  const arch = first === undefined ? undefined : archOf(first);
  const sectionOf = arch === undefined ? new Map<string, { section: string; table: SpecialTable }>() : sectionsOf(arch);
  const known = [...sectionOf.values()].map(({ section }) => section);
  for (const section of given.keys())
    if (!known.includes(section))
      throw fail("DIFF_ENTRY_SIZE", `${section} is no table whose entries' size can be given: those are ${known.join(", ")}`);
  const relocations = new Map(objects.map((elf) => [elf, relocationsBySection(elf)]));
  const inferred = new Map<string, number>();
  const chosen = new Map<string, EntryShape>();

  const choose = (struct: string): EntryShape | undefined => {
    const home = sectionOf.get(struct);
    if (home === undefined) return undefined;
    const { section } = home;
    const size = given.get(section);
    const parts = objects.flatMap((elf) =>
      elf.sections
        .filter((s) => s.name === section && s.size > 0)
        .map((s) => ({ section: s, relocations: relocations.get(elf)?.get(s) ?? [] })),
    );
    const all = arch?.tables.shapes[struct] ?? [];
    const fitting = all.filter((shape) => parts.every((part) => fits(part.section, part.relocations, shape, home.table, arch)));
    const where = { file: objects[0]?.file, section };
    if (size !== undefined) return ofSize(size, all, fitting, struct, where);
    const [only, ...others] = fitting;
    const sizes = (list: readonly EntryShape[]): string => list.map((shape) => shape.size).join(", ");
    if (only === undefined)
      throw fail("DIFF_ENTRY_SIZE", `entries of struct ${struct} have ${sizes(all)} bytes as far as is known, and none fits`, where);
    if (others.length > 0) throw fail("DIFF_ENTRY_SIZE", `entries of struct ${struct} of ${sizes(fitting)} bytes would fit`, where);
    inferred.set(section, only.size);
    return only;
  };
  const shapeOf = (struct: string): EntryShape | undefined => {
    const shape = chosen.get(struct) ?? choose(struct);
    if (shape !== undefined) chosen.set(struct, shape);
    return shape;
  };
  return {
    inferred,
    size(struct) {
      const said = types?.size(struct);
      const section = sectionOf.get(struct)?.section;
      const other = section === undefined ? undefined : given.get(section);
      if (said !== undefined && other !== undefined && said !== other)
        throw fail("DIFF_ENTRY_SIZE", `${other} bytes are given, and struct ${struct} has ${said} in the object's types`, { section });
      return said ?? shapeOf(struct)?.size;
    },
    member: (struct, name) => (types?.size(struct) !== undefined ? types.member(struct, name) : shapeOf(struct)?.members?.[name]),
  };
}

/** A size that no kernel known here has is right only where nothing has to be read out of an entry. */
function ofSize(
  size: number,
  all: readonly EntryShape[],
  fitting: readonly EntryShape[],
  struct: string,
  where: { section: string },
): EntryShape {
  const shape = fitting.find((one) => one.size === size);
  if (shape !== undefined) return shape;
  if (all.some((one) => one.size === size))
    throw fail("DIFF_ENTRY_SIZE", `its size and relocations are not those of entries of ${size} bytes`, where);
  if (all.some(({ members }) => members !== undefined))
    throw fail("DIFF_ENTRY_SIZE", `where the members of a struct ${struct} of ${size} bytes lie is not known`, where);
  return { size, pointers: {} };
}

function fits(
  { size }: Section,
  relocations: readonly Relocation[],
  shape: EntryShape,
  table: SpecialTable,
  arch: Arch | undefined,
): boolean {
  if (entryCount(size, shape.size, table) === undefined) return false;
  const begun = new Set<number>();
  const perEntry = shape.filled === true ? Object.keys(shape.pointers).length : undefined;
  for (const { offset, type } of relocations) {
    const at = offset % shape.size;
    if (shape.pointers[at] !== arch?.relocations.kind(type)?.size) return false;
    if (at === 0) begun.add(offset);
    else if (!begun.has(offset - at)) return false;
  }
  return perEntry === undefined || relocations.length === begun.size * perEntry;
}
