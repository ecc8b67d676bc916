/**
 * A relocatable file as ground: a module, or another build of the object. Its sections and undefined symbols are given addresses so far from
 * each other that no reference to one can be taken for another; what a field refers to is what its relocation says.
 */
import { type Arch, archOf, type SpecialTable } from "@suture/arch";
import {
  type ByteOrder,
  type ByteView,
  type ElfObject,
  type ElfSymbol,
  isSection,
  R_NONE,
  relocationSections,
  type Section,
  SHF,
  SHT,
  STB,
  STT,
} from "@suture/elf";
import type { Place } from "./model.ts";
import type { Field, RunningCode, Stretch } from "./running-code.ts";

/** More than a section or an addend can be. */
const APART = 2 ** 33;
/** Of places: it is the one address where nothing is. */
const FIRST = 1;

export interface Reference {
  type: number;
  /** S + A; NaN if that is nothing that a field could be held to. */
  refersTo: number;
}

interface Held {
  section: Section;
  address: number;
  /** By offset; made when first asked for. */
  relocations: Map<number, Reference> | undefined;
  fields: Field[] | undefined;
}

export class ElfRunningCode implements RunningCode {
  readonly name: string;
  readonly order: ByteOrder;
  readonly #arch: Arch;
  readonly #tables: Map<Section, Section[]>;
  readonly #held: Held[] = [];
  readonly #addresses = new Map<Section, Held>();
  readonly #undefined = new Map<string, number>();
  readonly #byName = new Map<string, ElfSymbol[]>();
  readonly #nameOf: (symbol: ElfSymbol) => number | undefined;

  /** @param sympos how the livepatch core counts a symbol of this file; undefined where it cannot name it */
  constructor(elf: ElfObject, name: string, sympos: (symbol: ElfSymbol) => number | undefined) {
    this.name = name;
    this.order = elf.format.order;
    this.#arch = archOf(elf);
    this.#nameOf = sympos;
    this.#tables = relocationSections(elf);
    for (const section of elf.sections) {
      if ((section.flags & SHF.ALLOC) === 0) continue;
      const held: Held = { section, address: (FIRST + this.#held.length) * APART, relocations: undefined, fields: undefined };
      this.#held.push(held);
      this.#addresses.set(section, held);
    }
    for (const symbol of elf.symbols) {
      if (symbol.name === "" || symbol.type === STT.SECTION || symbol.type === STT.FILE) continue;
      if (symbol.place === "undef" && !this.#undefined.has(symbol.name))
        this.#undefined.set(symbol.name, (FIRST + elf.sections.length + this.#undefined.size) * APART);
      const list = this.#byName.get(symbol.name);
      if (list === undefined) this.#byName.set(symbol.name, [symbol]);
      else list.push(symbol);
    }
  }

  sectionAt(address: number): { section: Section; offset: number } | undefined {
    const at = this.#at(address);
    return at === undefined ? undefined : { section: at.held.section, offset: at.offset };
  }

  addressOf(section: Section, offset: number): number {
    return (this.#addresses.get(section)?.address ?? Number.NaN) + offset;
  }

  read(address: number, length: number): Uint8Array | undefined {
    const at = this.#at(address);
    if (at === undefined || length < 0 || at.offset + length > at.held.section.size) return undefined;
    const { section } = at.held;
    return section.type === SHT.NOBITS ? new Uint8Array(length) : section.data.subarray(at.offset, at.offset + length);
  }

  constant(address: number, length: number): Uint8Array | undefined {
    const flags = this.#at(address)?.held.section.flags ?? SHF.WRITE;
    return (flags & SHF.WRITE) === 0 ? this.read(address, length) : undefined;
  }

  refersTo(_view: ByteView, _at: number, type: number, address: number): number | undefined {
    const at = this.#at(address);
    if (at === undefined) return undefined;
    const found = this.#relocationsOf(at.held).get(at.offset);
    return found?.type === type ? found.refersTo : undefined;
  }

  fields(start: number, end: number): readonly Field[] {
    const at = this.#at(start);
    if (at === undefined) return [];
    this.#relocationsOf(at.held);
    const fields = at.held.fields ?? [];
    return fields.slice(firstNotBelow(fields, start), firstNotBelow(fields, end));
  }

  /** The relocation of the field at the address, and what it refers to. */
  relocationAt(address: number): Reference | undefined {
    const at = this.#at(address);
    return at === undefined ? undefined : this.#relocationsOf(at.held).get(at.offset);
  }

  tag(type: number): string {
    return this.#arch.relocations.kind(type)?.name ?? String(type);
  }

  named(name: string): readonly number[] {
    return this.#addressesOf(name, () => true);
  }

  globals(name: string): readonly number[] {
    return this.#addressesOf(name, (symbol) => symbol.bind !== STB.LOCAL);
  }

  table(kind: SpecialTable): { entries: Stretch; beside: Stretch | undefined } | undefined {
    const entries = this.#stretch(kind.section);
    return entries === undefined
      ? undefined
      : { entries, beside: kind.beside === undefined ? undefined : this.#stretch(kind.beside.section) };
  }

  show(address: number): string {
    const at = this.#at(address);
    if (at !== undefined) return `${at.held.section.name} + 0x${at.offset.toString(16)}`;
    for (const [name, place] of this.#undefined) if (Math.abs(address - place) < APART / 2) return name;
    return "nothing";
  }

  number(value: number): number {
    return value;
  }

  linkedAt(address: number): number {
    return address;
  }

  locate(address: number): { section: string; address: number } | undefined {
    const at = this.#at(address);
    return at === undefined ? undefined : { section: at.held.section.name, address: at.offset };
  }

  place(symbol: ElfSymbol, address: number): Place | undefined {
    const located = this.locate(address);
    const found = this.#byName.get(symbol.name)?.find((s) => this.#addressOf(s) === address);
    const sympos = found === undefined ? undefined : this.#nameOf(found);
    return sympos === undefined || located === undefined ? undefined : { name: symbol.name, sympos, ...located };
  }

  /**
   * The sections that the linker merges have no symbols in modules, as a rule; and a module whose code was given such references could not be
   * loaded a second time by kernels that do not clear them when it goes (before Linux 6.3).
   */
  anchor(): undefined {
    return undefined;
  }

  describe(address: number): string {
    return this.#at(address) === undefined ? "one that another part of the kernel defines" : `the one at ${this.show(address)}`;
  }

  #at(address: number): { held: Held; offset: number } | undefined {
    const index = Math.floor(address / APART);
    const held = this.#held[index - FIRST];
    return held === undefined ? undefined : { held, offset: address - held.address };
  }

  #addressOf(symbol: ElfSymbol | undefined): number | undefined {
    if (symbol === undefined) return 0;
    if (isSection(symbol.place)) {
      const base = this.#addresses.get(symbol.place)?.address;
      return base === undefined ? undefined : base + symbol.value;
    }
    if (symbol.place === "undef") return this.#undefined.get(symbol.name);
    return symbol.place === "abs" ? symbol.value : undefined;
  }

  #addressesOf(name: string, wanted: (symbol: ElfSymbol) => boolean): number[] {
    const found = (this.#byName.get(name) ?? []).filter(wanted).map((symbol) => this.#addressOf(symbol));
    return found.filter((address) => address !== undefined);
  }

  #relocationsOf(held: Held): Map<number, Reference> {
    if (held.relocations !== undefined) return held.relocations;
    const byOffset = new Map<number, Reference>();
    const fields: Field[] = [];
    for (const table of this.#tables.get(held.section) ?? [])
      for (const { offset, type, symbol, addend } of table.relocations) {
        // objtool leaves some behind that mean nothing.
        if (type === R_NONE) continue;
        const address = this.#addressOf(symbol);
        // Two relocations of one field, or one of something that is not loaded: nothing that the field could be held to.
        const refersTo = address === undefined || byOffset.has(offset) ? Number.NaN : address + addend;
        byOffset.set(offset, { type, refersTo });
        fields.push({ address: held.address + offset, tag: this.tag(type) });
      }
    held.relocations = byOffset;
    held.fields = fields.sort((a, b) => a.address - b.address);
    return byOffset;
  }

  #stretch(name: string): Stretch | undefined {
    const held = this.#held.find(({ section }) => section.name === name);
    return held === undefined ? undefined : { address: held.address, bytes: held.section.data };
  }
}

/** Index of the first field at or after the address. */
function firstNotBelow(fields: readonly Field[], address: number): number {
  let low = 0;
  let high = fields.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((fields[middle] as Field).address < address) low = middle + 1;
    else high = middle;
  }
  return low;
}
