/**
 * The entries of .debug_info that say something about types and variables. Source: DWARF Debugging Information Format, version 5, chapter 7.
 * In an object nothing is linked yet: offsets of strings and addresses of variables are relocations.
 */
import { type ByteView, type ElfObject, type ElfSymbol, type Relocation, relocationSections, type Section, SHF, viewOf } from "@suture/elf";
import { fail } from "./errors.ts";

export const TAG = {
  ARRAY: 0x01,
  ENUMERATION: 0x04,
  PARAMETER: 0x05,
  LEXICAL_BLOCK: 0x0b,
  MEMBER: 0x0d,
  POINTER: 0x0f,
  COMPILE_UNIT: 0x11,
  STRUCTURE: 0x13,
  SUBROUTINE_TYPE: 0x15,
  TYPEDEF: 0x16,
  UNION: 0x17,
  UNSPECIFIED_PARAMETERS: 0x18,
  INLINED: 0x1d,
  SUBRANGE: 0x21,
  BASE: 0x24,
  CONST: 0x26,
  ENUMERATOR: 0x28,
  SUBPROGRAM: 0x2e,
  VARIABLE: 0x34,
  VOLATILE: 0x35,
  RESTRICT: 0x37,
  ATOMIC: 0x47,
} as const;

const AT = {
  LOCATION: 0x02,
  NAME: 0x03,
  BYTE_SIZE: 0x0b,
  BIT_OFFSET: 0x0c,
  BIT_SIZE: 0x0d,
  CONST_VALUE: 0x1c,
  UPPER_BOUND: 0x2f,
  ABSTRACT_ORIGIN: 0x31,
  COUNT: 0x37,
  DATA_MEMBER_LOCATION: 0x38,
  DECLARATION: 0x3c,
  ENCODING: 0x3e,
  PROTOTYPED: 0x27,
  SPECIFICATION: 0x47,
  TYPE: 0x49,
  DATA_BIT_OFFSET: 0x6b,
} as const;

/** What an attribute says of an entry; all others are passed over. */
type Role = keyof typeof NUMBERS_OF | "name" | "place" | "declaration" | "prototyped" | "type" | "origin";

const NUMBERS_OF = {
  size: AT.BYTE_SIZE,
  oldBitOffset: AT.BIT_OFFSET,
  bitSize: AT.BIT_SIZE,
  value: AT.CONST_VALUE,
  upperBound: AT.UPPER_BOUND,
  count: AT.COUNT,
  offset: AT.DATA_MEMBER_LOCATION,
  encoding: AT.ENCODING,
  bitOffset: AT.DATA_BIT_OFFSET,
} as const satisfies { [K in keyof Entry]?: number };

const ROLES: ReadonlyMap<number, Role> = new Map<number, Role>([
  ...Object.entries(NUMBERS_OF).map(([role, name]): [number, Role] => [name, role as Role]),
  [AT.NAME, "name"],
  [AT.LOCATION, "place"],
  [AT.DECLARATION, "declaration"],
  [AT.PROTOTYPED, "prototyped"],
  [AT.TYPE, "type"],
  [AT.ABSTRACT_ORIGIN, "origin"],
  [AT.SPECIFICATION, "origin"],
]);

/** Labels, calls and what they are given, also as compilers named them before DWARF 5: nothing of a type or variable is in them. */
const OF_CODE = new Set([0x0a, 0x48, 0x49, 0x4109, 0x410a]);

export interface Entry {
  /** DW_TAG_* */
  tag: number;
  parent: Entry | undefined;
  children: Entry[];
  name?: string;
  /** Offsets of other entries in .debug_info. `origin`: what says the rest of this one. */
  type?: number;
  origin?: number;
  /** Bytes. */
  size?: number;
  /** In bytes from the start of what has it. */
  offset?: number;
  bitOffset?: number;
  bitSize?: number;
  /** As DWARF 4 counts it: from the highest bit of the type. */
  oldBitOffset?: number;
  value?: number;
  upperBound?: number;
  count?: number;
  encoding?: number;
  /** It is only declared. */
  declaration?: boolean;
  /** Of a function: its parameters are said. */
  prototyped?: boolean;
  /** Of a variable: what its address is. */
  place?: { symbol: ElfSymbol; addend: number };
}

/** DW_OP_addr, as the only operation of a location: then eight bytes. */
const OP_ADDR = 0x03;
const ADDRESS_LOCATION = 9;

/** Forms of a fixed size, by their bytes. */
const SIZES: readonly (readonly [size: number, forms: readonly number[]])[] = [
  [0, [0x19, 0x21]],
  [1, [0x0b, 0x0c, 0x11, 0x25, 0x29]],
  [2, [0x05, 0x12, 0x26, 0x2a]],
  [3, [0x27, 0x2b]],
  [4, [0x06, 0x0e, 0x10, 0x13, 0x17, 0x1c, 0x1d, 0x1f, 0x28, 0x2c]],
  [8, [0x01, 0x07, 0x14, 0x20, 0x24]],
  [16, [0x1e]],
];
const FIXED: ReadonlyMap<number, number> = new Map(SIZES.flatMap(([size, forms]) => forms.map((form) => [form, size])));

const FORM = {
  BLOCK2: 0x03,
  BLOCK4: 0x04,
  STRING: 0x08,
  BLOCK: 0x09,
  BLOCK1: 0x0a,
  FLAG: 0x0c,
  SDATA: 0x0d,
  STRP: 0x0e,
  UDATA: 0x0f,
  REF_ADDR: 0x10,
  REF1: 0x11,
  REF8: 0x14,
  REF_UDATA: 0x15,
  EXPRLOC: 0x18,
  FLAG_PRESENT: 0x19,
  LINE_STRP: 0x1f,
  IMPLICIT_CONST: 0x21,
} as const;

/** Forms that are one number of variable length. */
const LEB = new Set<number>([FORM.SDATA, FORM.UDATA, FORM.REF_UDATA, 0x1a, 0x1b, 0x22, 0x23]);

interface Attribute {
  role: Role | undefined;
  form: number;
  /** Of a fixed form, its bytes. */
  size: number | undefined;
  constant: number;
}

interface Abbreviation {
  tag: number;
  hasChildren: boolean;
  isOfCode: boolean;
  attributes: Attribute[];
}

/** By offset in .debug_info; undefined if the object has none. @throws BUILD_BAD_DWARF */
export function dwarfEntries(elf: ElfObject): ReadonlyMap<number, Entry> | undefined {
  const section = elf.sections.find(({ name }) => name === ".debug_info");
  return section === undefined ? undefined : new Reader(elf, section).entries();
}

class Reader {
  readonly #elf: ElfObject;
  readonly #info: Section;
  readonly #view: ByteView;
  /** By offset, and the first that is not before what is read. */
  readonly #relocations: readonly Relocation[];
  #next = 0;
  readonly #strings: Strings;
  readonly #lineStrings: Strings;
  #at = 0;
  /** Of the attribute that was read last: where its bytes are, without the length of a block. */
  #valueAt = 0;
  #valueSize = 0;
  /** For numbers of variable length, and those that stand in the abbreviation. */
  #valueNumber: number | undefined;

  constructor(elf: ElfObject, info: Section) {
    this.#elf = elf;
    this.#info = info;
    if ((info.flags & SHF.COMPRESSED) !== 0) throw this.#bad("it is compressed: build without -gz");
    this.#view = viewOf(info.data, elf.format.order);
    const tables = relocationSections(elf).get(info) ?? [];
    this.#relocations = inOrder(tables.length === 1 ? (tables[0]?.relocations ?? []) : tables.flatMap(({ relocations }) => relocations));
    this.#strings = new Strings(elf, ".debug_str");
    this.#lineStrings = new Strings(elf, ".debug_line_str");
  }

  /** Entries are read from the first to the last. */
  #relocationAt(offset: number): Relocation | undefined {
    while ((this.#relocations[this.#next]?.offset ?? offset) < offset) this.#next++;
    const found = this.#relocations[this.#next];
    return found?.offset === offset ? found : undefined;
  }

  entries(): Map<number, Entry> {
    const entries = new Map<number, Entry>();
    try {
      while (this.#at < this.#view.length) this.#unit(entries);
    } catch (error) {
      if (error instanceof RangeError) throw this.#bad("it is cut off", error);
      throw error;
    }
    return entries;
  }

  #bad(why: string, cause?: unknown) {
    return fail(
      "BUILD_BAD_DWARF",
      why,
      { file: this.#elf.file, section: ".debug_info", offset: this.#at },
      cause === undefined ? {} : { cause },
    );
  }

  #unit(entries: Map<number, Entry>): void {
    const start = this.#at;
    const length = this.#u32();
    if (length >= 0xfffffff0) throw this.#bad("a unit of 64 bits");
    const end = this.#at + length;
    const version = this.#view.u16(this.#at);
    if (version < 4 || version > 5) throw this.#bad(`version ${version}; 4 and 5 are understood`);
    this.#at += 2;
    if (version === 5 && this.#view.u8(this.#at++) !== 1) throw this.#bad("a unit that is not one compilation");
    if (version === 5) this.#at++;
    const abbreviations = this.#abbreviations(this.#offset());
    if (version === 4) this.#at++;
    let parent: Entry | undefined;
    while (this.#at < end) {
      const offset = this.#at;
      const code = this.#uleb();
      if (code === 0) {
        parent = parent?.parent;
        continue;
      }
      const abbreviation = abbreviations.get(code);
      if (abbreviation === undefined) throw this.#bad(`abbreviation ${code} is not there`);
      const entry: Entry = { tag: abbreviation.tag, parent, children: [] };
      if (abbreviation.isOfCode) for (const attribute of abbreviation.attributes) this.#read(attribute);
      else {
        this.#attributes(abbreviation, entry, start);
        entries.set(offset, entry);
        parent?.children.push(entry);
      }
      if (abbreviation.hasChildren) parent = entry;
    }
    this.#at = end;
  }

  #attributes({ attributes }: Abbreviation, entry: Entry, unit: number): void {
    for (const attribute of attributes) {
      const { role, form } = attribute;
      this.#read(attribute);
      if (role === undefined) continue;
      if (role === "name") entry.name = this.#text(form);
      else if (role === "type" || role === "origin") entry[role] = this.#reference(form, unit);
      else if (role === "place") this.#place(form, entry);
      else if (role === "declaration" || role === "prototyped") entry[role] = form !== FORM.FLAG || this.#view.u8(this.#valueAt) !== 0;
      else {
        const number = this.#number(form);
        if (number !== undefined) entry[role] = number;
      }
    }
  }

  #read({ form, size: fixed, constant }: Attribute): void {
    this.#valueNumber = undefined;
    let size = fixed ?? 0;
    if (form === FORM.IMPLICIT_CONST) this.#valueNumber = constant;
    else if (fixed === undefined) {
      if (LEB.has(form)) this.#valueNumber = form === FORM.SDATA ? this.#sleb() : this.#uleb();
      else if (form === FORM.STRING) size = this.#info.data.indexOf(0, this.#at) - this.#at + 1;
      else if (form === FORM.BLOCK || form === FORM.EXPRLOC) size = this.#uleb();
      else if (form === FORM.BLOCK1) size = this.#view.u8(this.#at++);
      else if (form === FORM.BLOCK2) {
        size = this.#view.u16(this.#at);
        this.#at += 2;
      } else if (form === FORM.BLOCK4) size = this.#u32();
      else throw this.#bad(`form 0x${form.toString(16)} is not understood`);
    }
    this.#valueAt = this.#at;
    this.#valueSize = size;
    this.#at += size;
    if (this.#at > this.#view.length || size < 0) throw this.#bad("it is cut off");
  }

  /** Undefined for what is no plain number: the bound of an array whose length is computed. */
  #number(form: number): number | undefined {
    if (this.#valueNumber !== undefined) return this.#valueNumber;
    if (form === FORM.EXPRLOC || form === FORM.BLOCK || form === FORM.BLOCK1 || (form >= FORM.REF1 && form <= FORM.REF8)) return undefined;
    return this.#plainNumber();
  }

  #plainNumber(): number | undefined {
    switch (this.#valueSize) {
      case 1:
        return this.#view.u8(this.#valueAt);
      case 2:
        return this.#view.u16(this.#valueAt);
      case 4:
        return this.#view.u32(this.#valueAt);
      case 8:
        return this.#view.i64(this.#valueAt);
      default:
        return undefined;
    }
  }

  #reference(form: number, unit: number): number {
    if (form === FORM.REF_ADDR) return this.#relocationAt(this.#valueAt)?.addend ?? this.#view.u32(this.#valueAt);
    const offset = form === FORM.REF_UDATA ? this.#valueNumber : form < FORM.REF1 || form > FORM.REF8 ? undefined : this.#plainNumber();
    if (offset === undefined) throw this.#bad(`a reference of form 0x${form.toString(16)}`);
    return unit + offset;
  }

  #text(form: number): string {
    if (form === FORM.STRING) return latin1(this.#info.data, this.#valueAt, this.#valueAt + this.#valueSize - 1);
    if (form !== FORM.STRP && form !== FORM.LINE_STRP) throw this.#bad(`a name of form 0x${form.toString(16)}`);
    const strings = form === FORM.STRP ? this.#strings : this.#lineStrings;
    const offset = this.#relocationAt(this.#valueAt)?.addend ?? this.#view.u32(this.#valueAt);
    const text = strings.at(offset);
    if (text === undefined) throw this.#bad(`a name at ${offset} of ${strings.section}`);
    return text;
  }

  #place(form: number, entry: Entry): void {
    if (form !== FORM.EXPRLOC || this.#valueSize !== ADDRESS_LOCATION || this.#view.u8(this.#valueAt) !== OP_ADDR) return;
    const relocation = this.#relocationAt(this.#valueAt + 1);
    if (relocation?.symbol !== undefined) entry.place = { symbol: relocation.symbol, addend: relocation.addend };
  }

  #abbreviations(start: number): Map<number, Abbreviation> {
    const data = this.#elf.sections.find(({ name }) => name === ".debug_abbrev")?.data ?? new Uint8Array(0);
    let at = start;
    const byte = (): number => {
      const value = data[at++];
      if (value === undefined) throw this.#bad("its abbreviations are cut off");
      return value;
    };
    const abbreviations = new Map<number, Abbreviation>();
    for (let code = uleb(byte); code !== 0; code = uleb(byte)) {
      const tag = uleb(byte);
      const abbreviation: Abbreviation = { tag, hasChildren: byte() !== 0, isOfCode: OF_CODE.has(tag), attributes: [] };
      for (;;) {
        const [name, form] = [uleb(byte), uleb(byte)];
        const constant = form === FORM.IMPLICIT_CONST ? sleb(byte) : 0;
        if (name === 0 && form === 0) break;
        abbreviation.attributes.push({ role: ROLES.get(name), form, size: FIXED.get(form), constant });
      }
      abbreviations.set(code, abbreviation);
    }
    return abbreviations;
  }

  #u32(): number {
    const value = this.#view.u32(this.#at);
    this.#at += 4;
    return value;
  }

  /** Of another section. */
  #offset(): number {
    const at = this.#at;
    const value = this.#u32();
    return this.#relocationAt(at)?.addend ?? value;
  }

  readonly #byte = (): number => this.#view.u8(this.#at++);

  #uleb(): number {
    // Nearly all are of one byte.
    const first = this.#view.u8(this.#at);
    if (first >= 0x80) return uleb(this.#byte);
    this.#at++;
    return first;
  }

  #sleb(): number {
    return sleb(this.#byte);
  }
}

/** As compilers write them, or sorted: most are so long that this counts. */
function inOrder(relocations: readonly Relocation[]): readonly Relocation[] {
  const isAfter = ({ offset }: Relocation, i: number): boolean => i === 0 || offset >= (relocations[i - 1] as Relocation).offset;
  return relocations.every(isAfter) ? relocations : [...relocations].sort((a, b) => a.offset - b.offset);
}

/** A section of strings, each read once. */
class Strings {
  readonly section: string;
  readonly #known = new Map<number, string>();
  readonly #text: string;

  constructor(elf: ElfObject, section: string) {
    this.section = section;
    const data = elf.sections.find(({ name }) => name === section)?.data ?? new Uint8Array(0);
    this.#text = latin1(data, 0, data.length);
  }

  at(offset: number): string | undefined {
    const known = this.#known.get(offset);
    if (known !== undefined) return known;
    const end = this.#text.indexOf("\0", offset);
    if (end < 0 || offset < 0) return undefined;
    const text = this.#text.slice(offset, end);
    this.#known.set(offset, text);
    return text;
  }
}

function latin1(data: Uint8Array, from: number, to: number): string {
  return Buffer.from(data.buffer, data.byteOffset + from, to - from).toString("latin1");
}

function uleb(byte: () => number): number {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const part = byte();
    value += (part & 0x7f) * factor;
    if (part < 0x80) return value;
  }
}

function sleb(byte: () => number): number {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const part = byte();
    value += (part & 0x7f) * factor;
    if (part < 0x80) return part < 0x40 ? value : value - factor * 128;
  }
}
