/** What a relocation really refers to: the object, not its section, and for PC-relative operands counted from the instruction's end. */
import { type Arch, archOf, type Implied } from "@suture/arch";
import { type ElfObject, type ElfSymbol, isSection, newSymbol, type Relocation, type Section, SHF, STB, STT } from "@suture/elf";
import type { SutureError } from "@suture/errors";
import { fail } from "./errors.ts";
import { bytesOf, type Item, isCode, type Ref } from "./items.ts";
import type { SectionRole } from "./sections.ts";

interface Place {
  role: SectionRole;
  items: readonly Item[];
}

export class Resolver {
  readonly #elf: ElfObject;
  readonly #arch: Arch;
  readonly #places = new Map<Section, Place>();
  readonly #bySymbol = new Map<ElfSymbol, Item>();
  readonly #elements = new Map<Section, Map<number, Item>>();
  readonly #rows = new Map<Section, Map<number, Item>>();
  readonly #ends = new Map<Item, ReadonlyMap<number, number>>();

  constructor(elf: ElfObject) {
    this.#elf = elf;
    this.#arch = archOf(elf);
  }

  add(section: Section, role: SectionRole, items: readonly Item[]): void {
    this.#places.set(section, { role, items });
    for (const item of items) {
      for (const symbol of item.symbols) this.#bySymbol.set(symbol, item);
      for (const symbol of item.labels) this.#bySymbol.set(symbol, item);
    }
  }

  elements(): Item[] {
    return [...this.#elements.values()].flatMap((byOffset) => [...byOffset.values()].sort((a, b) => a.start - b.start));
  }

  resolve(from: Section, relocation: Relocation, at: number): Ref {
    const { symbol, type, addend, offset } = relocation;
    const { branchToEnd } = this.#arch.code;
    const code = isCode(from);
    const pcRelative = code && this.#arch.relocations.isPcRelative(type);
    const branch = pcRelative && this.#arch.code.isBranchField(from.data, offset);
    if (symbol === undefined)
      return this.#broken("a relocation has no symbol", from, relocation, at, newSymbol({ name: "", place: "abs" }), branch);
    if (!isSection(symbol.place)) return reference(at, type, symbol, addend, pcRelative ? addend + branchToEnd : addend, branch);
    const section = symbol.place;
    const place = this.#places.get(section);
    const handedOn = code && place?.role === "table" && this.#arch.tables.carried.some((t) => t.handedOn && t.section === section.name);
    if (place === undefined || place.role === "ignored" || (place.role === "table" && !handedOn))
      return this.#broken(`a relocation points into ${section.name}`, from, relocation, at, symbol, branch);
    // The offset in the section that the field's value is counted from.
    const base = symbol.value + addend;
    const known = !pcRelative ? 0 : branch ? branchToEnd : undefined;
    if (place.role === "table") {
      const toEnd = known ?? this.#toEnd(from, offset);
      const row = toEnd === undefined ? undefined : this.#row(section, base + toEnd);
      if (row === undefined) return this.#broken(`a relocation points into ${section.name}`, from, relocation, at, symbol, branch);
      return reference(at, type, row, base - row.start, 0, branch);
    }
    if (place.role === "pool") {
      // The assembler keeps the symbol of an element wherever the addend is not zero, so that the symbol says which element it is.
      const start = symbol.type === STT.SECTION ? base + (known ?? this.#toEnd(from, offset) ?? branchToEnd) : symbol.value;
      const element = this.#element(section, start);
      if (element === undefined)
        return this.#broken(`a relocation points to ${section.name}+${start}, outside of it`, from, relocation, at, symbol, branch);
      return reference(at, type, element, base - element.start, start - element.start, branch);
    }
    const named = symbol.type === STT.SECTION ? undefined : this.#bySymbol.get(symbol);
    const only = named ?? (place.items.length === 1 ? place.items[0] : undefined);
    if (only !== undefined) {
      const ref = reference(at, type, only, base - only.start, base - only.start + (known ?? branchToEnd), branch);
      if (symbol.bind === STB.WEAK) ref.weak = symbol;
      return ref;
    }
    return (
      this.#amongSeveral(from, relocation, at, place, base, known, branch) ??
      this.#broken(`a relocation points to ${section.name}+${base}, where nothing is`, from, relocation, at, symbol, branch)
    );
  }

  #broken(why: string, from: Section, { type, addend, offset }: Relocation, at: number, to: ElfSymbol, branch: boolean): Ref {
    const ref = reference(at, type, to, addend, addend, branch);
    ref.fault = this.#fault(why, from, offset);
    return ref;
  }

  /** A reference by section symbol, or by a local label, into a section that holds several items. */
  #amongSeveral(
    from: Section,
    { symbol, type, offset }: Relocation,
    at: number,
    place: Place,
    base: number,
    known: number | undefined,
    branch: boolean,
  ): Ref | undefined {
    const { items, role } = place;
    const { branchToEnd, fieldToEnds } = this.#arch.code;
    if (symbol !== undefined && symbol.type !== STT.SECTION) {
      const item = itemAt(items, symbol.value);
      if (item === undefined) return undefined;
      const ref = reference(at, type, item, base - item.start, base - item.start + (known ?? branchToEnd), branch);
      ref.loose = symbol.value === item.end;
      return ref;
    }
    let target = base + (known ?? branchToEnd);
    let item = itemAt(items, target);
    if (known === undefined && fieldToEnds.some((toEnd) => itemAt(items, base + toEnd) !== item)) {
      const toEnd = this.#toEnd(from, offset);
      if (toEnd === undefined) return undefined;
      target = base + toEnd;
      item = itemAt(items, target);
    }
    if (item === undefined) return undefined;
    // Flags and descriptors are single things: nothing points beside them.
    const single = branch || item.kind !== "object" || role === "once" || role === "dyndbg";
    const edge = target === item.end || (target === item.start && item !== items[0]);
    // Code that names an address, rather than what is there, may use it with an index or as a bound.
    const computes = isCode(from) && (known === 0 || this.#arch.code.mayComputeAddress(from.data, offset));
    const accesses = isCode(from) && !computes && target < item.end;
    const ref = reference(at, type, item, base - item.start, target - item.start, branch);
    ref.loose = !single && !accesses && (computes || edge);
    return ref;
  }

  #fault(why: string, from: Section, offset: number): SutureError {
    return fail("DIFF_REFERENCE", why, { file: this.#elf.file, section: from.name, offset });
  }

  /** Bytes from a PC-relative operand's field to the end of its instruction; undefined if that cannot be read. */
  #toEnd(from: Section, offset: number): number | undefined {
    const quick = this.#arch.code.fieldToEnd(from.data, offset);
    if (quick !== undefined) return quick;
    const item = itemAt(this.#places.get(from)?.items ?? [], offset);
    if (item === undefined) return undefined;
    let ends = this.#ends.get(item);
    if (ends === undefined) {
      ends = this.#arch.code.operandEnds(bytesOf(item));
      this.#ends.set(item, ends);
    }
    return ends.get(offset - item.start);
  }

  /** The relocations' references of code that shares its section, and those that the assembler resolved within the section. */
  withImplied(item: Item): readonly Ref[] {
    const fields = new Set(item.refs.map((ref) => ref.at));
    const implied = this.#arch.code.leaving(bytesOf(item)).filter((found) => !fields.has(found.at));
    return [...item.refs, ...implied.map((found) => this.#implied(item, found))].sort((a, b) => a.at - b.at);
  }

  #implied(item: Item, { at, type, target, toEnd, branch }: Implied): Ref {
    const to = itemAt(item.beside, item.start + target);
    const inside = to === undefined ? target : item.start + target - to.start;
    const ref = reference(
      at,
      type,
      to ?? newSymbol({ name: "", place: "abs" }),
      to === undefined ? target : inside - toEnd,
      inside,
      branch,
    );
    ref.implied = true;
    if (to === undefined) ref.fault = this.#fault(`${item.name} refers to a place outside of its section`, item.section, item.start + at);
    return ref;
  }

  /** An entry of a special table, of which only the start is known here. */
  #row(section: Section, start: number): Item | undefined {
    if (start < 0 || start >= section.size) return undefined;
    const rows = this.#rows.get(section) ?? new Map<number, Item>();
    this.#rows.set(section, rows);
    const row = rows.get(start) ?? nameless(this.#arch, "row", "table", section, start, start);
    rows.set(start, row);
    return row;
  }

  /** One string or constant of a pool. */
  #element(section: Section, offset: number): Item | undefined {
    const width = Math.max(section.entsize, 1);
    const strings = (section.flags & SHF.STRINGS) !== 0;
    const start = strings ? offset : Math.floor(offset / width) * width;
    if (start < 0 || start >= section.data.length) return undefined;
    let byOffset = this.#elements.get(section);
    if (byOffset === undefined) {
      byOffset = new Map();
      this.#elements.set(section, byOffset);
    }
    const known = byOffset.get(start);
    if (known !== undefined) return known;
    const end = strings ? stringEnd(section.data, start, width) : start + width;
    if (end === undefined || end > section.data.length) return undefined;
    const element = nameless(this.#arch, "element", "pool", section, start, end);
    byOffset.set(start, element);
    return element;
  }
}

function nameless(arch: Arch, kind: Item["kind"], role: SectionRole, section: Section, start: number, end: number): Item {
  const name = `${section.name}+0x${start.toString(16)}`;
  return { arch, kind, role, name, symbols: [], labels: [], section, start, end, entry: 0, refs: [], beside: [] };
}

function reference(at: number, type: number, to: Item | ElfSymbol, addend: number, target: number, branch: boolean): Ref {
  return { at, type, to, addend, target, branch, loose: false, implied: false, weak: undefined, fault: undefined };
}

/** The item that covers the offset, or ends there with none behind it. */
function itemAt(items: readonly Item[], offset: number): Item | undefined {
  if (offset < 0) return undefined;
  let low = 0;
  let high = items.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((items[middle]?.start ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  const item = items[low];
  return item !== undefined && offset <= item.end ? item : undefined;
}

/** Where the string ends that starts at `start`, with its zero; undefined if it does not. */
function stringEnd(data: Uint8Array, start: number, width: number): number | undefined {
  if (width === 1) {
    const zero = data.indexOf(0, start);
    return zero < 0 ? undefined : zero + 1;
  }
  for (let at = start; at + width <= data.length; at += width)
    if (data.subarray(at, at + width).every((byte) => byte === 0)) return at + width;
  return undefined;
}
