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

const NUMBERS = {
  [AT.BYTE_SIZE]: "size",
  [AT.BIT_OFFSET]: "oldBitOffset",
  [AT.BIT_SIZE]: "bitSize",
  [AT.CONST_VALUE]: "value",
  [AT.UPPER_BOUND]: "upperBound",
  [AT.COUNT]: "count",
  [AT.DATA_MEMBER_LOCATION]: "offset",
  [AT.ENCODING]: "encoding",
  [AT.DATA_BIT_OFFSET]: "bitOffset",
} as const satisfies Record<number, keyof Entry>;

const REFERENCES = {
  [AT.ABSTRACT_ORIGIN]: "origin",
  [AT.SPECIFICATION]: "origin",
  [AT.TYPE]: "type",
} as const satisfies Record<number, keyof Entry>;

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

interface Abbreviation {
  tag: number;
  hasChildren: boolean;
  attributes: { name: number; form: number; constant: number }[];
}

/** What an attribute's bytes say. */
interface Value {
  form: number;
  /** Where its bytes are, without the length of a block. */
  at: number;
  size: number;
  /** For numbers of variable length, and those that stand in the abbreviation. */
  number: number | undefined;
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
  readonly #relocations: ReadonlyMap<number, Relocation>;
  readonly #strings = new Map<string, string>();
  #at = 0;

  constructor(elf: ElfObject, info: Section) {
    this.#elf = elf;
    this.#info = info;
    if ((info.flags & SHF.COMPRESSED) !== 0) throw this.#bad("it is compressed: build without -gz");
    this.#view = viewOf(info.data, elf.format.order);
    const tables = relocationSections(elf).get(info) ?? [];
    this.#relocations = new Map(tables.flatMap(({ relocations }) => relocations.map((relocation) => [relocation.offset, relocation])));
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
      const entry = this.#entry(abbreviation, parent, start);
      entries.set(offset, entry);
      parent?.children.push(entry);
      if (abbreviation.hasChildren) parent = entry;
    }
    this.#at = end;
  }

  #entry({ tag, attributes }: Abbreviation, parent: Entry | undefined, unit: number): Entry {
    const entry: Entry = { tag, parent, children: [] };
    for (const { name, form, constant } of attributes) {
      const value = this.#value(form, constant);
      if (name === AT.NAME) entry.name = this.#text(value);
      else if (name === AT.LOCATION) this.#place(value, entry);
      else if (name === AT.DECLARATION) entry.declaration = this.#flag(value);
      else if (name === AT.PROTOTYPED) entry.prototyped = this.#flag(value);
      else if (name in REFERENCES) entry[REFERENCES[name as keyof typeof REFERENCES]] = this.#reference(value, unit);
      else if (name in NUMBERS) {
        const number = this.#number(value);
        if (number !== undefined) entry[NUMBERS[name as keyof typeof NUMBERS]] = number;
      }
    }
    return entry;
  }

  #flag({ form, at }: Value): boolean {
    return form !== FORM.FLAG || this.#view.u8(at) !== 0;
  }

  #value(form: number, constant: number): Value {
    if (form === FORM.IMPLICIT_CONST) return { form, at: this.#at, size: 0, number: constant };
    const fixed = FIXED.get(form);
    let size = fixed ?? 0;
    let number: number | undefined;
    if (fixed === undefined) {
      if (LEB.has(form)) number = form === FORM.SDATA ? this.#sleb() : this.#uleb();
      else if (form === FORM.STRING) size = this.#info.data.indexOf(0, this.#at) - this.#at + 1;
      else if (form === FORM.BLOCK || form === FORM.EXPRLOC) size = this.#uleb();
      else if (form === FORM.BLOCK1) size = this.#view.u8(this.#at++);
      else if (form === FORM.BLOCK2) {
        size = this.#view.u16(this.#at);
        this.#at += 2;
      } else if (form === FORM.BLOCK4) size = this.#u32();
      else throw this.#bad(`form 0x${form.toString(16)} is not understood`);
    }
    const at = this.#at;
    this.#at += size;
    if (this.#at > this.#view.length || size < 0) throw this.#bad("it is cut off");
    return { form, at, size, number };
  }

  /** Undefined for what is no plain number: the bound of an array whose length is computed. */
  #number({ form, at, size, number }: Value): number | undefined {
    if (number !== undefined) return number;
    if (form === FORM.EXPRLOC || form === FORM.BLOCK || form === FORM.BLOCK1 || (form >= FORM.REF1 && form <= FORM.REF8)) return undefined;
    switch (size) {
      case 1:
        return this.#view.u8(at);
      case 2:
        return this.#view.u16(at);
      case 4:
        return this.#view.u32(at);
      case 8:
        return this.#view.i64(at);
      default:
        return undefined;
    }
  }

  #reference({ form, at, size, number }: Value, unit: number): number {
    if (form === FORM.REF_ADDR) return this.#relocations.get(at)?.addend ?? this.#view.u32(at);
    const offset =
      form === FORM.REF_UDATA ? number : form < FORM.REF1 || form > FORM.REF8 ? undefined : this.#number({ form: 0, at, size, number });
    if (offset === undefined) throw this.#bad(`a reference of form 0x${form.toString(16)}`);
    return unit + offset;
  }

  #text({ form, at, size }: Value): string {
    if (form === FORM.STRING) return Buffer.from(this.#info.data.buffer, this.#info.data.byteOffset + at, size - 1).toString("latin1");
    if (form !== FORM.STRP && form !== FORM.LINE_STRP) throw this.#bad(`a name of form 0x${form.toString(16)}`);
    const name = form === FORM.STRP ? ".debug_str" : ".debug_line_str";
    const offset = this.#relocations.get(at)?.addend ?? this.#view.u32(at);
    const key = `${name}:${offset}`;
    let text = this.#strings.get(key);
    if (text === undefined) {
      const data = this.#elf.sections.find((section) => section.name === name)?.data ?? new Uint8Array(0);
      const end = data.indexOf(0, offset);
      if (end < 0) throw this.#bad(`a name at ${offset} of ${name}`);
      text = Buffer.from(data.buffer, data.byteOffset + offset, end - offset).toString("latin1");
      this.#strings.set(key, text);
    }
    return text;
  }

  #place({ form, at, size }: Value, entry: Entry): void {
    if (form !== FORM.EXPRLOC || size !== ADDRESS_LOCATION || this.#view.u8(at) !== OP_ADDR) return;
    const relocation = this.#relocations.get(at + 1);
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
      const abbreviation: Abbreviation = { tag: uleb(byte), hasChildren: byte() !== 0, attributes: [] };
      for (;;) {
        const [name, form] = [uleb(byte), uleb(byte)];
        const constant = form === FORM.IMPLICIT_CONST ? sleb(byte) : 0;
        if (name === 0 && form === 0) break;
        abbreviation.attributes.push({ name, form, constant });
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
    return this.#relocations.get(at)?.addend ?? value;
  }

  readonly #byte = (): number => this.#view.u8(this.#at++);

  #uleb(): number {
    return uleb(this.#byte);
  }

  #sleb(): number {
    return sleb(this.#byte);
  }
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
