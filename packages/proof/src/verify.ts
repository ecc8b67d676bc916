/**
 * Holds every symbol, byte, relocation and table entry of the placed parts against the ground. What is found wrong is put down where it is;
 * functions.ts works out what that means for each function.
 */
import { type Relocation, SHF, STT, viewOf } from "@suture/elf";
import type { Field, Ground, Stretch } from "./ground.ts";
import { likeness } from "./instructions.ts";
import { fieldsOf, hasNoBytes, type Item, isFunction, isWeak, itemAt, type Part, type Parts } from "./items.ts";
import type { Doubt } from "./model.ts";
import type { Placement } from "./placement.ts";
import { checkName, findMerged, type Merged, targetOf } from "./references.ts";
import { firstKey, type GroundTables, type TableIndex } from "./table-index.ts";
import type { Entry, ObjectTable } from "./tables.ts";
import { fieldSize, isFilledLater, isInitOnly } from "./x86-64.ts";

/** Something that is wrong. */
export interface Finding {
  code: Doubt;
  /** The part that it counts against. */
  part: Part;
  /** Bytes from that part's start; undefined if it is about the whole part. */
  at: number | undefined;
  why: string;
  /** Where the bytes are: in the part itself, or in a table's entry about it. */
  section: string;
  offset: number;
  bytes: { object: Uint8Array; kernel: Uint8Array } | undefined;
  /** What the ground has in place of the item or entry. */
  kernel: Stretch | undefined;
}

export interface Verdict {
  findings: readonly Finding[];
  /** Data that each item, and each table entry about it, refers to; by item, or by part for what is about no item. */
  uses: ReadonlyMap<Item, ReadonlySet<Part>>;
  /** Strings and constants that code and data that stay refer to, once for each reference. */
  merged: readonly Merged[];
}

/** Bytes shown of each side of a mismatch. */
const SHOWN = 16;

export function verify(parts: Parts, tables: readonly ObjectTable[], placement: Placement, ground: Ground, index: GroundTables): Verdict {
  const verification = new Verification(parts, placement, ground, index);
  for (const part of parts.all) if (part.role === "code" || part.role === "data") verification.part(part);
  verification.overlaps();
  for (const table of tables) verification.table(table);
  verification.dropUnused();
  return verification;
}

/** A run of bytes with relocations: an item, or an entry of a table. */
interface Span {
  data: Uint8Array;
  /** In `data`. */
  start: number;
  end: number;
  relocations: readonly Relocation[];
  /** The ground's bytes of the span, and the address of the first. */
  bytes: Uint8Array;
  address: number;
}

interface Wrong {
  code: Doubt;
  /** In `data`. */
  offset: number;
  why: string;
}

class Verification implements Verdict {
  findings: Finding[] = [];
  readonly uses = new Map<Item, Set<Part>>();
  readonly merged: Merged[] = [];
  readonly #parts: Parts;
  readonly #placement: Placement;
  readonly #ground: Ground;
  readonly #index: GroundTables;
  /** Parts whose symbols are not all where they should be. */
  readonly #astray = new Set<Part>();

  constructor(parts: Parts, placement: Placement, ground: Ground, index: GroundTables) {
    this.#parts = parts;
    this.#placement = placement;
    this.#ground = ground;
    this.#index = index;
  }

  part(part: Part): void {
    const { section } = part;
    const base = this.#placement.bases.get(part);
    if (base === undefined) {
      const candidates = this.#placement.ambiguous.get(part);
      if (candidates !== undefined)
        this.#whole(part, "ambiguous", `fits at ${candidates.map((address) => this.#ground.show(address)).join(", ")}`);
      else this.#whole(part, "unplaced", `nothing says where ${this.#ground.name} has it`);
      return;
    }
    const bytes = section.size === 0 ? new Uint8Array(0) : this.#ground.read(base, section.size);
    if (bytes === undefined) {
      this.#whole(
        part,
        "unplaced",
        `${section.size} bytes at ${this.#ground.show(base)} are no part of one section of ${this.#ground.name}`,
      );
      return;
    }
    const astray = this.#symbols(part, base);
    if (astray) this.#astray.add(part);
    const data = hasNoBytes(section) ? new Uint8Array(section.size) : section.data;
    const wrong = new Set<Item>();
    let next = 0;
    for (const item of part.items) {
      const first = next;
      while ((part.relocations[next]?.offset ?? Number.POSITIVE_INFINITY) < item.end) next++;
      const there = astray ? this.#alone(item, base) : { address: base + item.start, bytes: bytes.subarray(item.start, item.end) };
      if (there === undefined) continue;
      const span: Span = { data, start: item.start, end: item.end, relocations: part.relocations.slice(first, next), ...there };
      const found = isFilledLater(section.name) ? undefined : this.#compare(span, item);
      if (found === undefined || (astray && found.code === "bytes" && isMoved(span))) continue;
      wrong.add(item);
      this.#put(part, found, section.name, span, found.offset);
    }
    if (!astray) this.#fields(part, base, bytes, wrong);
  }

  /** An item of a section that is laid out otherwise, where the ground has a symbol of its name: to tell what changed from what only moved. */
  #alone(item: Item, base: number): Stretch | undefined {
    const known = item.symbols[0] === undefined ? [] : this.#ground.named(item.symbols[0].name);
    const address = known.includes(base + item.start) ? base + item.start : known.length === 1 ? known[0] : undefined;
    const bytes = address === undefined ? undefined : this.#ground.read(address, item.end - item.start);
    return address === undefined || bytes === undefined ? undefined : { address, bytes };
  }

  /** Each symbol is the ground's. @returns whether some are elsewhere, so that the section is not laid out as in the ground */
  #symbols(part: Part, base: number): boolean {
    let vouched = 0;
    const elsewhere: string[] = [];
    for (const symbol of part.symbols) {
      const { name, value, type } = symbol;
      const known = this.#ground.named(name);
      const address = base + value;
      if (known.includes(address)) vouched++;
      else if (isWeak(symbol)) continue;
      else if (known.length > 0)
        elsewhere.push(`${name} at ${known.map((a) => this.#ground.show(a)).join(", ")}, not ${this.#ground.show(address)}`);
      // The kernel's symbol table has no labels of the assembler and of the build.
      else if (type !== STT.NOTYPE)
        this.findings.push({
          code: "absent",
          part,
          at: value,
          why: `${this.#ground.name} does not have ${name}`,
          section: part.section.name,
          offset: value,
          bytes: undefined,
          kernel: undefined,
        });
    }
    const [first] = elsewhere;
    if (first !== undefined)
      this.#whole(
        part,
        "unplaced",
        `is laid out otherwise: ${this.#ground.name} has ${elsewhere.length} of ${part.symbols.length} symbols elsewhere, such as ${first}`,
      );
    // What can be written, before the kernel starts or later, is known by its place, not by what is in it.
    else if (vouched === 0 && ((part.section.flags & SHF.WRITE) !== 0 || part.role === "code" || isFilledLater(part.section.name)))
      this.#whole(part, "unplaced", `no symbol says that ${this.#ground.name} has it at ${this.#ground.show(base)}`);
    return first !== undefined;
  }

  #compare(span: Span, user: Item): Wrong | undefined {
    const view = viewOf(span.bytes);
    let from = span.start;
    for (const relocation of span.relocations) {
      const { offset, type } = relocation;
      const size = fieldSize(type);
      if (size === undefined || offset < from || offset + size > span.end)
        return { code: "unsupported", offset, why: `a relocation of type ${type} that is not understood` };
      const different = firstDifference(span, from, offset);
      if (different !== undefined) return different;
      from = offset + size;
      const at = offset - span.start;
      const address = span.address + at;
      const value = this.#ground.refersTo(view, at, type, address);
      const wrong =
        value === undefined || Number.isNaN(value)
          ? ({ code: "reference", why: `${this.#ground.name} has no such reference there` } as const)
          : this.#reference(relocation, value, user);
      if (wrong !== undefined) return { ...wrong, offset };
    }
    return firstDifference(span, from, span.end);
  }

  #reference(relocation: Relocation, value: number, user: Item): { code: Doubt; why: string } | undefined {
    const target = targetOf(relocation, this.#parts);
    const address = value - relocation.addend;
    const ground = this.#ground;
    switch (target.kind) {
      case "unknown":
        return { code: "unsupported", why: target.why };
      case "number":
        return address === target.value ? undefined : { code: "reference", why: `holds ${ground.show(address)}, not ${target.value}` };
      case "name": {
        const base = target.own === undefined ? undefined : this.#placement.bases.get(target.own.part);
        const why = checkName(
          target.symbol,
          address,
          base === undefined || target.own === undefined ? undefined : base + target.own.offset,
          ground,
        );
        return wrongIf(why);
      }
      case "merged": {
        const found = findMerged(target, relocation, value, user.section.section, ground);
        if (typeof found === "string") return { code: "reference", why: found };
        if (!isInitOnly(user.section.section.name)) this.merged.push(found);
        return undefined;
      }
      case "part": {
        const base = this.#placement.bases.get(target.part);
        this.#use(user, target.part);
        // Parts that have no certain place are put down themselves, and with them all that refers to them.
        if (base === undefined || this.#astray.has(target.part)) return undefined;
        if (address !== base + target.offset)
          return {
            code: "reference",
            why: `refers to ${ground.show(address)}, not to ${inPart(target.part, target.offset)} at ${ground.show(base + target.offset)}`,
          };
        const why = target.strong === undefined ? undefined : checkName(target.strong, address, address, ground);
        return wrongIf(why);
      }
    }
  }

  /** The ground's fields inside of the part are those that the relocations call for. */
  #fields(part: Part, base: number, bytes: Uint8Array, wrong: Set<Item>): void {
    const found = this.#ground.fields(base, base + part.section.size);
    const expected = this.#expected(part.relocations, viewOf(bytes), 0, base);
    for (const { offset, why } of differences(expected, found, base)) {
      const item = itemAt(part, offset);
      // What differs already needs no second reason.
      if (item === undefined || wrong.has(item)) continue;
      wrong.add(item);
      this.findings.push({
        code: "relocation",
        part,
        at: offset,
        why,
        section: part.section.name,
        offset,
        bytes: undefined,
        kernel: undefined,
      });
    }
  }

  #expected(relocations: readonly Relocation[], view: DataView, start: number, address: number): Field[] {
    const fields: Field[] = [];
    for (const relocation of relocations) {
      const at = relocation.offset - start;
      if (fieldSize(relocation.type) === undefined) continue;
      const value = this.#ground.refersTo(view, at, relocation.type, address + at);
      if (value === undefined) continue;
      const { symbol } = relocation;
      const missing = symbol?.place === "undef" && isWeak(symbol) && this.#ground.globals(symbol.name).length === 0;
      const tag = this.#ground.tag(relocation.type, value - relocation.addend, missing || symbol === undefined || symbol.place === "abs");
      if (tag !== undefined) fields.push({ address: address + at, tag });
    }
    return fields;
  }

  /** No two parts are in one place. */
  overlaps(): void {
    const placed = [...this.#placement.bases].filter(([{ section }]) => section.size > 0).sort(([, a], [, b]) => a - b);
    for (let i = 1; i < placed.length; i++) {
      const [before, start] = placed[i - 1] as [Part, number];
      const [part, base] = placed[i] as [Part, number];
      if (start + before.section.size <= base) continue;
      for (const [one, other] of [
        [part, before],
        [before, part],
      ] as const)
        this.#whole(one, "unplaced", `would be at ${this.#ground.show(base)}, in one place with ${other.section.name}`);
    }
  }

  /** Data that nothing refers to (lists that the linker makes of many objects) needs no place. */
  dropUnused(): void {
    const used = new Set([...this.uses.values()].flatMap((set) => [...set]));
    this.findings = this.findings.filter(({ part }) => part.role === "code" || used.has(part) || this.#placement.bases.has(part));
  }

  table(table: ObjectTable): void {
    const index = this.#index.get(table.kind, table.size);
    const used = new Map<Part, { index: TableIndex; taken: Set<number> }>();
    for (const entry of table.entries) {
      const base = this.#placement.bases.get(entry.code);
      if (base === undefined || (table.kind.ranges === true && entry.offset === entry.code.section.size)) continue;
      let use = used.get(entry.code);
      if (use === undefined && index !== undefined) {
        use = { index, taken: new Set() };
        used.set(entry.code, use);
      }
      this.#entry(table, entry, base, use);
    }
    for (const [part, base] of this.#placement.bases) {
      if ((part.section.flags & SHF.EXECINSTR) === 0) continue;
      if (index !== undefined) this.#extra(table, part, base, index, used.get(part)?.taken ?? new Set());
    }
  }

  #entry(table: ObjectTable, entry: Entry, base: number, use: { index: TableIndex; taken: Set<number> } | undefined): void {
    const { data, name } = entry.table;
    const user = itemAt(entry.code, entry.offset) as Item;
    const key = base + entry.offset;
    let first: { wrong: Wrong; span: Span } | undefined;
    if (use !== undefined) {
      const { index, taken } = use;
      for (let i = firstKey(index, key); index.keys[i] === key; i++) {
        if (taken.has(i)) continue;
        const at = (index.order[i] as number) * table.size;
        const bytes = index.entries.bytes.subarray(at, at + table.size);
        const span: Span = {
          data,
          start: entry.start,
          end: entry.end,
          relocations: entry.relocations,
          bytes,
          address: index.entries.address + at,
        };
        const wrong =
          this.#compare(span, user) ?? this.#entryFields(entry, span) ?? this.#beside(table, entry, index, index.order[i] as number);
        if (wrong === undefined) {
          taken.add(i);
          return;
        }
        first ??= { wrong, span };
      }
    }
    if (first === undefined && (table.kind.unreferenced === true || (use !== undefined && this.#holds(table, entry, use.index, key))))
      return;
    const why =
      first === undefined
        ? `${this.#ground.name} has no entry in ${name} for ${this.#ground.show(key)}`
        : `its entry in ${name}: ${first.wrong.why}`;
    const wrong: Wrong = { code: "table", offset: first?.wrong.offset ?? entry.start, why };
    this.#put(entry.code, wrong, name, first?.span, Math.min(entry.offset, Math.max(entry.code.section.size - 1, 0)));
  }

  #entryFields(entry: Entry, { bytes, start, address }: Span): Wrong | undefined {
    const expected = this.#expected(entry.relocations, viewOf(bytes), start, address);
    const [different] = differences(expected, this.#ground.fields(address, address + bytes.length), address);
    return different === undefined ? undefined : { code: "relocation", offset: start + different.offset, why: different.why };
  }

  /** Whether the ground's entry for what is before says the same. */
  #holds(table: ObjectTable, entry: Entry, index: TableIndex, key: number): boolean {
    const before = firstKey(index, key) - 1;
    const [address, number] = [index.keys[before], index.order[before]];
    if (table.kind.ranges !== true || address === undefined || number === undefined) return false;
    if (this.#ground.locate(address)?.section !== this.#ground.locate(key)?.section) return false;
    return this.#beside(table, entry, index, number) === undefined;
  }

  #beside({ beside, size }: ObjectTable, { start }: Entry, index: TableIndex, number: number): Wrong | undefined {
    if (beside === undefined) return undefined;
    const at = (start / size) * beside.size;
    const own = beside.part.section.data.subarray(at, at + beside.size);
    const kernel = index.beside?.bytes.subarray(number * beside.size, (number + 1) * beside.size);
    if (kernel !== undefined && Buffer.compare(own, kernel) === 0) return undefined;
    return { code: "table", offset: start, why: `its entry in ${beside.part.section.name} differs` };
  }

  /** The ground has no entries about the part but those of the object. */
  #extra(table: ObjectTable, part: Part, base: number, index: TableIndex, taken: ReadonlySet<number>): void {
    const { kind } = table;
    const end = base + part.section.size;
    for (let i = firstKey(index, base); i < index.keys.length && (index.keys[i] as number) < end; i++) {
      const at = (index.keys[i] as number) - base;
      // The part before ends its entries with one for the byte after it.
      if (taken.has(i) || (kind.ranges === true && (at === 0 || this.#restates(table, part, at, index, index.order[i] as number))))
        continue;
      const why = `${this.#ground.name} has an entry in ${kind.section} for ${this.#ground.show(base + at)}, the object has none`;
      this.findings.push({ code: "table", part, at, why, section: part.section.name, offset: at, bytes: undefined, kernel: undefined });
    }
  }

  /**
   * Whether an entry of the ground says what the object's entry for the code before says of that code too: after a function that the kernel
   * does not run, since it has another of that name, objtool begins anew.
   */
  #restates(table: ObjectTable, part: Part, at: number, index: TableIndex, number: number): boolean {
    let before: Entry | undefined;
    for (const entry of table.entries)
      if (entry.code === part && entry.offset <= at && (before === undefined || entry.offset > before.offset)) before = entry;
    return before !== undefined && this.#beside(table, before, index, number) === undefined;
  }

  #use(item: Item, part: Part): void {
    const set = this.uses.get(item);
    if (set === undefined) this.uses.set(item, new Set([part]));
    else set.add(part);
  }

  #put(part: Part, wrong: Wrong, section: string, span: Span | undefined, at: number): void {
    const offset = span === undefined ? 0 : wrong.offset - span.start;
    const bytes =
      span === undefined
        ? undefined
        : {
            object: span.data.slice(wrong.offset, Math.min(wrong.offset + SHOWN, span.end)),
            kernel: span.bytes.slice(offset, offset + SHOWN),
          };
    this.findings.push({ code: wrong.code, part, at, why: wrong.why, section, offset: wrong.offset, bytes, kernel: span });
  }

  #whole(part: Part, code: Doubt, why: string): void {
    this.findings.push({ code, part, at: undefined, why, section: part.section.name, offset: 0, bytes: undefined, kernel: undefined });
  }
}

/** Whether only distances to other places differ. */
function isMoved({ data, start, end, relocations, bytes }: Span): boolean {
  return likeness({ code: data.subarray(start, end), fields: fieldsOf(relocations, start) }, bytes) === "same";
}

function wrongIf(why: string | undefined): { code: Doubt; why: string } | undefined {
  return why === undefined ? undefined : { code: "reference", why };
}

function firstDifference({ data, bytes, start }: Span, from: number, to: number): Wrong | undefined {
  for (let i = from; i < to; i++)
    if (data[i] !== bytes[i - start])
      return { code: "bytes", offset: i, why: `byte 0x${hex2(data[i])}, the kernel has 0x${hex2(bytes[i - start])}` };
  return undefined;
}

function hex2(byte: number | undefined): string {
  return (byte ?? 0).toString(16).padStart(2, "0");
}

function* differences(expected: readonly Field[], found: readonly Field[], base: number): Generator<{ offset: number; why: string }> {
  let f = 0;
  for (const field of expected) {
    for (; f < found.length && (found[f] as Field).address < field.address; f++)
      yield {
        offset: (found[f] as Field).address - base,
        why: `the kernel relocates it (${(found[f] as Field).tag}), the object does not`,
      };
    const same = found[f]?.address === field.address;
    const tag = same ? found[f]?.tag : undefined;
    if (same) f++;
    if (tag !== field.tag)
      yield {
        offset: field.address - base,
        why: `to be relocated as ${field.tag}, the kernel ${tag === undefined ? "does not" : `does as ${tag}`}`,
      };
  }
  for (; f < found.length; f++)
    yield { offset: (found[f] as Field).address - base, why: `the kernel relocates it (${(found[f] as Field).tag}), the object does not` };
}

function inPart(part: Part, offset: number): string {
  const item = itemAt(part, offset);
  const name = item?.symbols.find(isFunction)?.name ?? item?.symbols[0]?.name;
  return name === undefined ? `${part.section.name} + 0x${offset.toString(16)}` : name;
}
