/**
 * The build with a section for each function and variable, held against the plain build: what is compared and patched later is what was
 * proven. Functions are equal but for references, which go to the same thing, and for jumps out of the function that grew from one byte to
 * four because their target moved to another section.
 */
import type { AlignmentFill, Arch, Instruction } from "@suture/arch";
import { firstFrom, type Relocation, type Section, SHF, viewOf } from "@suture/elf";
import { CodeUses, type Saying } from "./code-uses.ts";
import { ElfRunningCode } from "./elf-running-code.ts";
import { hasNoBytes, type Item, isFunction, itemAt, type Part, type Parts } from "./items.ts";
import { type Pairing, pairUp } from "./pairing.ts";
import { type Placement, placeParts } from "./placement.ts";
import { type EntryTarget, findMerged, targetOf, toEntry } from "./references.ts";
import { RunningTables } from "./table-index.ts";
import type { Entry, ObjectTable } from "./tables.ts";
import { isOutOfLine, isUnnamed, outOfLinePiecesOf, type Piece, piecesOf, type Referred } from "./unnamed.ts";

export interface Split {
  /** Why each function of either build is not the same in both. */
  doubts: ReadonlyMap<string, string>;
  /** Where the plain build has what the other has there: the section, and bytes from its start. */
  plainPlace(section: Section, offset: number): { section: Section; offset: number } | undefined;
}

/** A build as its sections and special tables. */
export interface Build {
  parts: Parts;
  tables: readonly ObjectTable[];
}

/** @param assembler of both, as CONFIG_AS_VERSION has it */
export function compareSplit(split: Build, plain: Build, assembler: number | undefined): Split {
  const holding = new Holding(split, plain, split.parts.arch.code.alignmentFill(assembler));
  holding.run();
  return holding;
}

class Holding implements Split {
  readonly doubts = new Map<string, string>();
  readonly #split: Parts;
  readonly #arch: Arch;
  readonly #plain: Parts;
  readonly #running: ElfRunningCode;
  readonly #placement: Placement;
  /** Where the plain build has the start of each item of code. */
  readonly #code = new Map<Item, number>();
  /** Code whose functions are as far from each other as in the plain build. */
  readonly #rigid = new Set<Part>();
  /** Data that differs, and why. */
  readonly #differs = new Map<Part, string>();
  /** Data that each function, by name, and each part refers to. */
  readonly #references = new Map<Part | string, Set<Part>>();
  /** Of constants without a name and code out of line: the address that the plain build refers to, by where this one does. */
  readonly #unnamed = new Map<Part, Map<number, Referred>>();
  /** Of those that do not stand together in the plain build. */
  readonly #pieces = new Map<Part, { plain: Section; pieces: readonly Piece[] }>();
  /** Where the plain build has variables without a name: the first reference says it, and all others have to agree. */
  readonly #said = new Map<Part, number>();
  readonly #tables: { split: readonly ObjectTable[]; plain: readonly ObjectTable[] };
  readonly #uses: { split: CodeUses; plain: CodeUses };
  readonly #pairings = new Map<Item, Paired | string>();

  readonly #fill: AlignmentFill;

  constructor(split: Build, plain: Build, fill: AlignmentFill) {
    this.#fill = fill;
    this.#split = split.parts;
    this.#arch = split.parts.arch;
    this.#plain = plain.parts;
    this.#tables = { split: split.tables, plain: plain.tables };
    this.#uses = { split: new CodeUses(split.parts, split.tables), plain: new CodeUses(plain.parts, plain.tables) };
    this.#running = new ElfRunningCode(plain.parts.elf, "the plain build", () => undefined);
    this.#placement = placeParts(split.parts, [], this.#running, new RunningTables(this.#running));
    for (const part of split.parts.all) if (part.role === "code") this.#findCode(part);
  }

  run(): void {
    for (const part of this.#split.all) {
      if (part.role === "code") for (const item of part.items) this.#functions(part, item);
      if (part.role === "data" && !isInPieces(part) && !isNameless(part)) this.#data(part);
    }
    this.#nameless();
    this.#constants();
    this.#sayings();
    for (const [user, parts] of this.#references) {
      if (typeof user !== "string") continue;
      const bad = [...this.#reachable(parts)].find((part) => this.#differs.has(part));
      if (bad !== undefined) this.#doubt(user, `refers to ${bad.section.name}: ${this.#differs.get(bad)}`);
    }
    const here = new Set(functionNames(this.#split));
    for (const name of functionNames(this.#plain)) if (!here.has(name)) this.#doubt(name, "the build with sections does not have it");
  }

  plainPlace(section: Section, offset: number): { section: Section; offset: number } | undefined {
    const part = this.#split.of(section);
    const scattered = part === undefined || this.#differs.has(part) ? undefined : this.#pieces.get(part);
    const piece = scattered?.pieces.find((one) => offset >= one.offset && offset < one.offset + one.length);
    if (scattered !== undefined)
      return piece === undefined ? undefined : { section: scattered.plain, offset: piece.there + offset - piece.offset };
    if (part === undefined || this.#differs.has(part)) return undefined;
    const base = this.#dataBase(part);
    const address = part.role === "code" ? this.#codeAddresses(part, offset)[0] : base === undefined ? undefined : base + offset;
    return address === undefined || itemAt(part, offset) === undefined ? undefined : this.#running.sectionAt(address);
  }

  #findCode(part: Part): void {
    const distances = new Set<number>();
    for (const item of part.items) {
      const places = item.symbols.map(({ name }) => this.#running.named(name));
      const [first = []] = places;
      const same = first.filter((address) => places.every((all) => all.includes(address)));
      const [only] = same;
      if (same.length !== 1 || only === undefined) continue;
      this.#code.set(item, only);
      distances.add(only - item.start);
    }
    if (distances.size === 1 && part.items.every((item) => this.#code.has(item))) this.#rigid.add(part);
  }

  #dataBase(part: Part | undefined): number | undefined {
    if (part !== undefined && isNameless(part)) return this.#said.get(part);
    return part === undefined ? undefined : this.#placement.bases.get(part);
  }

  #doubt(name: string, why: string): void {
    if (!this.doubts.has(name)) this.doubts.set(name, why);
  }

  #reachable(parts: Iterable<Part>): Set<Part> {
    const all = new Set(parts);
    for (const part of all) for (const next of this.#references.get(part) ?? []) all.add(next);
    return all;
  }

  #use(user: Part | string, part: Part): void {
    const set = this.#references.get(user);
    if (set === undefined) this.#references.set(user, new Set([part]));
    else set.add(part);
  }

  #functions(part: Part, item: Item): void {
    for (const symbol of item.symbols) {
      if (!isFunction(symbol)) continue;
      const { name, size } = symbol;
      const address = this.#code.get(item);
      const twin = address === undefined ? undefined : this.#twin(name, address);
      if (address === undefined || twin === undefined) this.#doubt(name, "the plain build does not have one function of that name");
      else {
        const equal = size === twin.size && this.#rigid.has(part) ? this.#sameBytes(part, item.start, size, address, name) : "another size";
        const why = equal === undefined ? undefined : this.#sameInstructions(part, item, size, address, twin.size);
        if (why !== undefined) this.#doubt(name, why);
      }
    }
  }

  #twin(name: string, address: number): { size: number } | undefined {
    const place = this.#running.sectionAt(address);
    return place === undefined
      ? undefined
      : this.#plain.of(place.section)?.symbols.find((s) => s.name === name && s.value === place.offset && isFunction(s));
  }

  /** Variables and constants hold the same, and lie where the code says. */
  #data(part: Part): void {
    const base = this.#dataBase(part);
    if (base === undefined) {
      this.#differs.set(part, "nothing says where the plain build has it");
      return;
    }
    for (const { name, value } of part.symbols)
      if (!this.#running.named(name).includes(base + value)) this.#differs.set(part, `the plain build has ${name} elsewhere`);
    for (const item of part.items) {
      const size = item.symbols.length === 0 ? item.end - item.start : Math.max(...item.symbols.map((s) => s.size));
      const why =
        size === 0 ? undefined : this.#sameBytes(part, item.start, Math.min(size, item.end - item.start), base + item.start, part);
      if (why !== undefined) this.#differs.set(part, why);
    }
  }

  /** They may refer to further ones. No two of them are the same of the plain build. */
  #nameless(): void {
    const starts = new Map<number, Part>();
    for (const [part, base] of this.#said) {
      this.#data(part);
      const other = starts.get(base);
      starts.set(base, part);
      if (other === undefined) continue;
      for (const one of [part, other])
        this.#differs.set(one, `the plain build has ${part.section.name} and ${other.section.name} in one place`);
    }
  }

  /** Constants and code out of line may refer to further ones. */
  #constants(): void {
    const parts = this.#split.all.filter(isInPieces);
    const known = (): number => [...this.#unnamed.values()].reduce((sum, { size }) => sum + size, 0);
    for (let before = -1; before < known(); ) {
      before = known();
      for (const part of parts) {
        this.#differs.delete(part);
        const base = this.#dataBase(part);
        const references = this.#unnamed.get(part) ?? new Map<number, Referred>();
        if (base !== undefined && [...references].every(([offset, { there }]) => there === base + offset)) this.#data(part);
        else if (references.size > 0) {
          const why = this.#scattered(part, references);
          if (why !== undefined) this.#differs.set(part, why);
        } else if (base === undefined && isOutOfLine(part)) this.#differs.set(part, "nothing says where the plain build has it");
      }
    }
  }

  #scattered(part: Part, references: ReadonlyMap<number, Referred>): string | undefined {
    const places = new Map<number, Referred>();
    const sections = new Map<Section, number>();
    for (const [offset, { there, by }] of references) {
      const at = this.#running.sectionAt(there);
      if (at === undefined) return `+ 0x${offset.toString(16)} is nowhere in the plain build`;
      sections.set(at.section, there - at.offset);
      places.set(offset, { there: at.offset, by });
    }
    const [[section, base] = [undefined, 0], ...more] = sections;
    const plain = section === undefined ? undefined : this.#plain.of(section);
    if (plain === undefined || more.length > 0) return "is in several sections of the plain build";
    const pieces = isOutOfLine(part) ? outOfLinePiecesOf(part, plain, places) : piecesOf(part, plain, places);
    if (typeof pieces === "string") return pieces;
    for (const { offset, there, length } of pieces) {
      const why = this.#sameBytes(part, offset, length, base + there, part);
      if (why !== undefined) return why;
    }
    this.#pieces.set(part, { plain: plain.section, pieces });
    return undefined;
  }

  /** Why the bytes or references of a run differ. @param address of the run in the plain build */
  #sameBytes(part: Part, start: number, size: number, address: number, user: Part | string): string | undefined {
    const bytes = this.#running.read(address, size);
    if (bytes === undefined) return "reaches past the plain build's section";
    const data = hasNoBytes(part.section) ? new Uint8Array(part.section.size) : part.section.data;
    const relocations = within(part, start, start + size);
    const fields = new Set(relocations.map(({ offset }) => offset - start + address));
    if (this.#running.fields(address, address + size).some((field) => !fields.has(field.address))) return "a reference is not there";
    let from = start;
    for (const relocation of relocations) {
      const { offset, type } = relocation;
      const width = this.#arch.relocations.fieldSize(type);
      if (width === undefined || offset < from || offset + width > start + size)
        return `a relocation of type ${type} at 0x${offset.toString(16)}`;
      if (!equal(data, bytes, from, offset, start)) return `other bytes before 0x${(offset - start).toString(16)}`;
      from = offset + width;
      const value = this.#plainValue(bytes, offset - start, type, address + offset - start);
      const why = value === undefined ? "the plain build has no such reference" : this.#reference(part, relocation, value, user);
      if (why !== undefined) return `at 0x${(offset - start).toString(16)}: ${why}`;
    }
    return equal(data, bytes, from, start + size, start) ? undefined : `other bytes after 0x${(from - start).toString(16)}`;
  }

  /** What a field of the plain build refers to (S + A); references inside of a section have no relocation there. */
  #plainValue(bytes: Uint8Array, at: number, type: number, address: number): number | undefined {
    const reference = this.#running.relocationAt(address);
    if (reference !== undefined)
      return reference.type === type || (this.#arch.relocations.isNear(reference.type) && this.#arch.relocations.isNear(type))
        ? reference.refersTo
        : undefined;
    if (!this.#arch.relocations.isNear(type)) return undefined;
    const value = this.#arch.relocations.linkedValue(viewOf(bytes, this.#running.order), at, type, address);
    if (value === undefined) return undefined;
    const target = this.#running.sectionAt(value + this.#arch.code.branchToEnd);
    return target?.section === this.#running.sectionAt(address)?.section ? value : undefined;
  }

  /** Why the relocation does not refer to what the plain build refers to with S + A = `value`. */
  #reference(part: Part, relocation: Relocation, value: number, user: Part | string): string | undefined {
    const { addend } = relocation;
    const target = targetOf(relocation, this.#split);
    switch (target.kind) {
      case "unknown":
        return target.why;
      case "number":
        return value - addend === target.value ? undefined : "refers to another number";
      case "entry":
        return this.#entry(target, relocation, value, part);
      case "merged": {
        const found = findMerged(target, relocation, value, part.section, this.#running);
        return typeof found === "string" ? found : undefined;
      }
      case "name": {
        if (target.own === undefined)
          return this.#running.globals(target.symbol.name).includes(value - addend) ? undefined : `does not refer to ${target.symbol.name}`;
        return this.#inPart(target.own.part, target.own.offset, value, part, relocation, user);
      }
      case "part":
        return this.#inPart(target.part, target.offset, value, part, relocation, user);
    }
  }

  /** An entry of a special table is the one about the same code. */
  #entry({ table, offset }: EntryTarget, relocation: Relocation, value: number, from: Part): string | undefined {
    const more = toEntry(relocation, from.section, this.#arch);
    const there = more === undefined ? undefined : this.#running.sectionAt(value + more);
    const own = more === undefined ? undefined : entryAt(this.#tables.split, table.section, offset + relocation.addend + more);
    const plain = there === undefined ? undefined : entryAt(this.#tables.plain, there.section, there.offset);
    if (own === undefined || plain === undefined || own.table.name !== plain.table.name)
      return `refers to ${table.section.name} in a way that is not understood`;
    return this.#codeAddresses(own.code, own.offset).includes(this.#running.addressOf(plain.code.section, plain.offset))
      ? undefined
      : `refers to another entry of ${table.section.name}`;
  }

  #inPart(to: Part, symbol: number, value: number, from: Part, relocation: Relocation, user: Part | string): string | undefined {
    const { addend, type, offset: field } = relocation;
    if (to.role === "data") {
      this.#use(user, to);
      if (isInPieces(to)) return this.#constant(to, symbol + addend, value, from, relocation);
      if (isNameless(to) && !this.#said.has(to)) this.#said.set(to, value - symbol - addend);
      const base = this.#dataBase(to);
      return base !== undefined && value === base + symbol + addend
        ? undefined
        : `does not refer to ${to.section.name} + ${symbol + addend}`;
    }
    // Where a field relative to the instruction's end points is certain for jumps, calls and lea, which end with it.
    const near = this.#arch.relocations.isPcRelative(type);
    if (near && !this.#rigid.has(to) && !this.#arch.code.jumpsOrLoadsAddress(from.section.data, field))
      return "refers to code in a way that is not understood";
    const shift = near ? 4 : 0;
    return this.#codeAddresses(to, symbol + addend + shift).includes(value + shift)
      ? undefined
      : `does not refer to ${to.section.name} + ${symbol + addend + shift}`;
  }

  /** Whether the places agree is seen when all are known. */
  #constant(to: Part, offset: number, value: number, from: Part, relocation: Relocation): string | undefined {
    const { type, offset: field } = relocation;
    const shift = this.#arch.relocations.isPcRelative(type) ? this.#toEnd(from, field) : 0;
    if (shift === undefined) return "refers to a constant in a way that is not understood";
    const references = this.#unnamed.get(to) ?? new Map<number, Referred>();
    this.#unnamed.set(to, references);
    const known = references.get(offset + shift);
    if (known !== undefined && known.there !== value + shift) return `does not refer to ${to.section.name} + ${offset + shift} as before`;
    references.set(offset + shift, { there: value + shift, by: (known?.by ?? new Set()).add(relocation) });
    return undefined;
  }

  /** Bytes from a field to the end of its instruction. */
  #toEnd(from: Part, field: number): number | undefined {
    if (this.#arch.code.jumpsOrLoadsAddress(from.section.data, field)) return 4;
    const item = itemAt(from, field);
    const size = item?.symbols.find(isFunction)?.size;
    if (from.role !== "code" || item === undefined || size === undefined) return undefined;
    const instructions = this.#arch.code.decode(from.section.data.subarray(item.start, item.start + size));
    const one = instructions?.find(({ relative }) => relative?.field === field - item.start);
    return one === undefined ? undefined : one.end - (field - item.start);
  }

  /** What tables and other data say of code is of the same places. What they say, the differ reads. */
  #sayings(): void {
    const there = new Map<string, { name: string; by: string; count: number }>();
    const key = ({ start, end, by }: Saying, address: number): string => `${address} ${end - start} ${by}`;
    for (const [part, list] of this.#uses.plain.sayings)
      for (const saying of list) {
        const place = key(saying, this.#running.addressOf(part.section, saying.start));
        const known = there.get(place);
        if (known === undefined) there.set(place, { name: functionAt(part, saying.start), by: saying.by, count: 1 });
        else known.count++;
      }
    for (const [part, list] of this.#uses.split.sayings)
      for (const saying of list) {
        const found = this.#codeAddresses(part, saying.start)
          .map((address) => there.get(key(saying, address)))
          .find((one) => one !== undefined && one.count > 0);
        if (found === undefined) this.#doubt(functionAt(part, saying.start), `${saying.by} of the plain build says nothing of it`);
        else found.count--;
      }
    for (const { name, by, count } of there.values()) if (count > 0) this.#doubt(name, `${by} of the plain build says more of it`);
  }

  /** Where the plain build has that byte of code: one address; two where it alone has padding, before and behind that; or none. */
  #codeAddresses(part: Part, offset: number): readonly number[] {
    const item = itemAt(part, Math.max(offset, 0));
    const start = item === undefined ? undefined : this.#code.get(item);
    if (item === undefined || start === undefined) return [];
    const at = offset - item.start;
    const symbol = item.symbols.find(isFunction);
    const twin = at <= 0 || symbol === undefined ? undefined : this.#twin(symbol.name, start);
    if (symbol === undefined || twin === undefined || this.#isLaidOutAlike(part, item, symbol.size, start, twin.size)) return [start + at];
    const paired = this.#pair(part, item, symbol.size, start, twin.size);
    return typeof paired === "string" ? [] : paired.places(at).map((place) => start + place);
  }

  /** Whether all bytes but those of references are the same, so that each is where it is in the plain build. */
  #isLaidOutAlike(part: Part, item: Item, size: number, address: number, plainSize: number): boolean {
    const bytes = size === plainSize ? this.#running.read(address, size) : undefined;
    if (bytes === undefined) return false;
    let from = item.start;
    for (const { offset, type } of within(part, item.start, item.start + size)) {
      if (!equal(part.section.data, bytes, from, offset, item.start)) return false;
      from = Math.max(from, offset + (this.#arch.relocations.fieldSize(type) ?? 0));
    }
    return equal(part.section.data, bytes, from, item.start + size, item.start);
  }

  /** The instructions of a function and of the plain build's at `address`, each with its pair; or why they have none. */
  #pair(part: Part, item: Item, size: number, address: number, plainSize: number): Paired | string {
    const known = this.#pairings.get(item);
    if (known !== undefined && (typeof known === "string" || known.size === size)) return known;
    const made = this.#makePair(part, item, size, address, plainSize);
    this.#pairings.set(item, made);
    return made;
  }

  #makePair(part: Part, item: Item, size: number, address: number, plainSize: number): Paired | string {
    const own = part.section.data.subarray(item.start, item.start + size);
    const bytes = this.#running.read(address, plainSize);
    const place = this.#running.sectionAt(address);
    const plain = place === undefined ? undefined : this.#plain.of(place.section);
    const these = this.#arch.code.decode(own);
    const those = bytes === undefined ? undefined : this.#arch.code.decode(bytes);
    if (bytes === undefined || place === undefined || plain === undefined || these === undefined || those === undefined)
      return "is not code that can be decoded";
    const pairing = pairUp(
      { part, start: item.start, bytes: own, instructions: these, uses: this.#uses.split },
      { part: plain, start: place.offset, bytes, instructions: those, uses: this.#uses.plain },
      this.#fill,
    );
    if (typeof pairing === "string") return pairing;
    const relocations = new Map(within(part, item.start, item.start + size).map((r) => [r.offset, r]));
    const name = item.symbols.find(isFunction)?.name ?? "";
    return { ...pairing, part, item, size, address, bytes, own, relocations, name };
  }

  /** Why the functions are not the same instruction by instruction. */
  #sameInstructions(part: Part, item: Item, size: number, address: number, plainSize: number): string | undefined {
    const paired = this.#pair(part, item, size, address, plainSize);
    if (typeof paired === "string") return paired;
    for (const [one, other] of paired.pairs) {
      const why = this.#sameInstruction(paired, one, other);
      if (why !== undefined) return `at 0x${one.start.toString(16)}: ${why}`;
    }
    return undefined;
  }

  #sameInstruction(pair: Paired, one: Instruction, other: Instruction): string | undefined {
    const { part, item, address, bytes, own, relocations, name } = pair;
    if (one.branch !== undefined || other.branch !== undefined) {
      if (one.branch === undefined || other.branch === undefined || one.branch.kind !== other.branch.kind) return "another instruction";
      const reference = this.#running.relocationAt(address + other.branch.field);
      // A relocation's addend counts from its field, and the field ends the instruction.
      const plain =
        reference === undefined
          ? address + other.branch.target
          : this.#arch.relocations.isNear(reference.type)
            ? reference.refersTo + this.#arch.code.branchToEnd
            : undefined;
      if (plain === undefined) return "a jump that is not understood";
      const relocation = relocations.get(item.start + one.branch.field);
      if (relocation !== undefined)
        return this.#arch.relocations.isNear(relocation.type)
          ? this.#reference(part, relocation, plain - this.#arch.code.branchToEnd, name)
          : "a jump that is not understood";
      return this.#internal(pair, one.branch.target).includes(plain) ? undefined : "jumps elsewhere";
    }
    const length = one.end - one.start;
    if (pair.switches.has(one)) {
      const isReferred = within(part, item.start + one.start, item.start + one.end).length > 0;
      return isReferred || this.#running.fields(address + other.start, address + other.end).length > 0 ? "another instruction" : undefined;
    }
    if (length !== other.end - other.start) return "another instruction";
    let from = one.start;
    for (let at = one.start; at < one.end; at++) {
      const plainAt = other.start + at - one.start;
      const relocation = relocations.get(item.start + at);
      const inner = one.relative?.field === at && relocation === undefined;
      if (relocation === undefined && !inner) {
        if (this.#running.relocationAt(address + plainAt) !== undefined) return "a reference is not there";
        continue;
      }
      const width = relocation === undefined ? 4 : this.#arch.relocations.fieldSize(relocation.type);
      if (width === undefined || at + width > one.end) return "a relocation that is not understood";
      if (!same(own, from, bytes, other.start + from - one.start, at - from)) return "another instruction";
      from = at + width;
      if (relocation === undefined) {
        if (this.#running.relocationAt(address + plainAt) !== undefined || other.relative === undefined) return "a reference is not there";
        if (!this.#internal(pair, one.relative?.target ?? 0).includes(address + other.relative.target)) return "refers elsewhere";
      } else {
        const value = this.#plainValue(bytes, plainAt, relocation.type, address + plainAt);
        const why = value === undefined ? "the plain build has no such reference" : this.#reference(part, relocation, value, name);
        if (why !== undefined) return why;
      }
      at = from - 1;
    }
    return same(own, from, bytes, other.start + from - one.start, one.end - from) ? undefined : "another instruction";
  }

  /** Where the plain build has the place, from the start of the function, that code refers to without a relocation. */
  #internal({ part, item, size, address, places }: Paired, target: number): readonly number[] {
    if (target < 0 || target > size) return this.#codeAddresses(part, item.start + target);
    return places(target).map((place) => address + place);
  }
}

interface Paired extends Pairing {
  part: Part;
  item: Item;
  size: number;
  /** Of the function in the plain build, and its bytes there. */
  address: number;
  bytes: Uint8Array;
  own: Uint8Array;
  /** By offset in the section. */
  relocations: ReadonlyMap<number, Relocation>;
  name: string;
}

/** Each piece of it is where references say. */
function isInPieces(part: Part): boolean {
  return isUnnamed(part) || isOutOfLine(part);
}

/** What can be written and has no symbol, such as what UBSAN keeps of a place in the source. */
function isNameless({ section, symbols, role }: Part): boolean {
  return role === "data" && symbols.length === 0 && (section.flags & SHF.WRITE) !== 0 && !hasNoBytes(section);
}

function entryAt(tables: readonly ObjectTable[], section: Section, start: number): Entry | undefined {
  for (const { part, entries } of tables) if (part?.section === section) return entries.find((entry) => entry.start === start);
  return undefined;
}

function functionAt(part: Part, offset: number): string {
  return itemAt(part, offset)?.symbols.find(isFunction)?.name ?? "";
}

function functionNames(parts: Parts): string[] {
  return parts.all.filter(({ role }) => role === "code").flatMap(({ symbols }) => symbols.filter(isFunction).map(({ name }) => name));
}

function within({ relocations }: Part, start: number, end: number): readonly Relocation[] {
  return relocations.slice(firstFrom(relocations, start), firstFrom(relocations, end));
}

/** @param start of `b` in `a` */
function equal(a: Uint8Array, b: Uint8Array, from: number, to: number, start: number): boolean {
  for (let i = from; i < to; i++) if (a[i] !== b[i - start]) return false;
  return true;
}

function same(a: Uint8Array, at: number, b: Uint8Array, bt: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[at + i] !== b[bt + i]) return false;
  return true;
}
