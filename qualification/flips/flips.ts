/** Which bits are flipped: of the kernel's code, and of the build with sections. Of one in six each, where the object has such places. */
import { archOf } from "@suture/arch";
import { isSection, type Relocation, relocationsBySection, type Section } from "@suture/elf";
import { Random } from "../edits/random.ts";
import { flipByte, placeIn, type Subject } from "./subject.ts";

const KINDS = ["kernel", "jump label", "code", "no-op", "reference", "entry"] as const;
export type Kind = (typeof KINDS)[number];

export interface Flip {
  kind: Kind;
  where: string;
  /** The function that must not be proven; any if undefined. */
  name: string | undefined;
  undo(): void;
}

interface Places {
  /** No-ops of the build with sections. */
  noOps: { section: Section; start: number; end: number }[];
  references: Relocation[];
  /** Keys of entries about functions. */
  entries: Relocation[];
  /** Jump labels of the plain build. */
  labels: { section: string; offset: number }[];
}

/** Each is in force until it is undone: before the next is asked for. */
export function* flipsOf(subject: Subject, count: number, seed: number): Generator<Flip> {
  const random = Random.of(subject.plain.file, seed);
  const places = placesOf(subject);
  // Some draws hit a byte that means nothing, or a kind that the object does not have.
  for (let made = 0, drawn = 0; made < count && drawn < 20 * count; drawn++) {
    const kind = KINDS[made % KINDS.length] ?? "code";
    const flip = flipOf(subject, places, kind, random) ?? flipOf(subject, places, "kernel", random);
    if (flip === undefined) continue;
    made++;
    yield flip;
  }
}

function flipOf(subject: Subject, places: Places, kind: Kind, random: Random): Flip | undefined {
  const { functions, sections } = subject;
  const bit = random.below(8);
  const f = random.of(functions);
  if (f === undefined) return undefined;
  const made = (undo: (() => void) | undefined, where: string, name?: string): Flip | undefined =>
    undo === undefined ? undefined : { kind, where: `${where}, bit ${bit}`, name, undo };
  switch (kind) {
    case "kernel": {
      const at = random.below(f.size);
      return made(subject.flipKernel(f, at, bit), `${f.name} + ${at}`, f.name);
    }
    case "jump label": {
      const label = random.of(places.labels);
      const at = (label?.offset ?? 0) + random.below(5);
      const own = functions.find((one) => one.section === label?.section && at >= one.offset && at < one.offset + one.size);
      return own && made(subject.flipKernel(own, at - own.offset, bit), `${own.name} + ${at - own.offset}`, own.name);
    }
    case "code": {
      const place = placeIn(sections, f.name);
      const at = place === undefined ? 0 : place.start + random.below(place.size);
      return place && made(flipByte(sections, place.section, at, bit), `${place.section.name} + ${at}`);
    }
    case "no-op": {
      const one = random.of(places.noOps);
      const at = one === undefined ? 0 : one.start + random.below(one.end - one.start);
      return one && made(flipByte(sections, one.section, at, bit), `${one.section.name} + ${at}`);
    }
    case "reference":
      return made(flipAddend(random.of(places.references), random.below(16)), `a reference of ${f.name}`);
    case "entry":
      return made(flipAddend(random.of(places.entries), random.below(10)), "an entry of a table");
  }
}

function flipAddend(relocation: Relocation | undefined, bit: number): (() => void) | undefined {
  if (relocation === undefined) return undefined;
  const { addend } = relocation;
  relocation.addend ^= 1 << bit;
  return () => {
    relocation.addend = addend;
  };
}

function placesOf({ functions, sections, plain, entrySize }: Subject): Places {
  const { code } = archOf(sections);
  const relocations = relocationsBySection(sections);
  const places: Places = { noOps: [], references: [], entries: [], labels: [] };
  const proven = new Set<Section>();
  for (const { name } of functions) {
    const place = placeIn(sections, name);
    if (place === undefined) continue;
    const { section, start, size } = place;
    proven.add(section);
    const bytes = section.data.subarray(start, start + size);
    for (const one of code.decode(bytes) ?? [])
      if (code.isNoOp(bytes.subarray(one.start, one.end))) places.noOps.push({ section, start: start + one.start, end: start + one.end });
    places.references.push(...(relocations.get(section) ?? []).filter(({ offset }) => offset >= start && offset < start + size));
  }
  for (const [section, list] of relocations) {
    const size = entrySize(section.name);
    if (size === undefined) continue;
    places.entries.push(
      ...list.filter(
        ({ offset, symbol }) => offset % size === 0 && symbol !== undefined && isSection(symbol.place) && proven.has(symbol.place),
      ),
    );
  }
  for (const [section, list] of relocationsBySection(plain)) {
    const size = section.name === "__jump_table" ? entrySize(section.name) : undefined;
    for (const { offset, symbol, addend } of size === undefined ? [] : list)
      if (size !== undefined && offset % size === 0 && symbol !== undefined && isSection(symbol.place))
        places.labels.push({ section: symbol.place.name, offset: symbol.value + addend });
  }
  return places;
}
