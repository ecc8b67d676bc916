/**
 * The types of BTF, the kernel's own type information, one by one. Source: Documentation/bpf/btf.rst. A header, types in a row (numbered from 1;
 * 0 is void), strings. All types are walked once, to know where each is; names and members are read when they are asked for.
 */
import { type ByteView, defineRecord, viewOf } from "@suture/elf";
import { fail } from "./errors.ts";

const Header = defineRecord({
  magic: "u16",
  version: "u8",
  flags: "u8",
  hdr_len: "u32",
  type_off: "u32",
  type_len: "u32",
  str_off: "u32",
  str_len: "u32",
});

const MAGIC = 0xeb9f;
const POINTER_SIZE = 8;
/** name_off, info, and size or type. */
export const TYPE_SIZE = 12;
const LONGEST_NAME = 4096;
/** Of qualifiers, typedefs and arrays within each other, and of structures without a name. */
export const DEEPEST = 64;
export const KIND = {
  INT: 1,
  PTR: 2,
  ARRAY: 3,
  STRUCT: 4,
  UNION: 5,
  ENUM: 6,
  FWD: 7,
  TYPEDEF: 8,
  VOLATILE: 9,
  CONST: 10,
  RESTRICT: 11,
  FUNC: 12,
  FUNC_PROTO: 13,
  VAR: 14,
  DATASEC: 15,
  FLOAT: 16,
  DECL_TAG: 17,
  TYPE_TAG: 18,
  ENUM64: 19,
} as const;

/** Bytes after a type of each kind: a fixed number, and one for each of its vlen entries. */
const EXTRA: Readonly<Record<number, readonly [fixed: number, each: number]>> = {
  [KIND.INT]: [4, 0],
  [KIND.PTR]: [0, 0],
  [KIND.ARRAY]: [12, 0],
  [KIND.STRUCT]: [0, 12],
  [KIND.UNION]: [0, 12],
  [KIND.ENUM]: [0, 8],
  [KIND.FWD]: [0, 0],
  [KIND.TYPEDEF]: [0, 0],
  [KIND.VOLATILE]: [0, 0],
  [KIND.CONST]: [0, 0],
  [KIND.RESTRICT]: [0, 0],
  [KIND.FUNC]: [0, 0],
  [KIND.FUNC_PROTO]: [0, 8],
  [KIND.VAR]: [4, 0],
  [KIND.DATASEC]: [0, 12],
  [KIND.FLOAT]: [0, 0],
  [KIND.DECL_TAG]: [4, 0],
  [KIND.TYPE_TAG]: [0, 0],
  [KIND.ENUM64]: [0, 12],
};

/** Kinds that stand for the type that they name. */
const TRANSPARENT = new Set<number>([KIND.TYPEDEF, KIND.VOLATILE, KIND.CONST, KIND.RESTRICT, KIND.TYPE_TAG]);
export const COMPOSITE = new Set<number>([KIND.STRUCT, KIND.UNION]);

export interface BtfEnumeration {
  /** Empty for one without a name. */
  name: string;
  values: [name: string, value: number][];
}

export class BtfTypes {
  /** Without void. */
  readonly count: number;
  readonly view: ByteView;
  readonly #file: string;
  readonly #strings: Buffer;
  /** Those that were read, by their offsets. */
  readonly #read = new Map<number, string>();
  /** Byte offset of type i at index i; 0 for void. */
  readonly #at: Uint32Array;

  /** @throws KERNEL_BAD_BTF */
  constructor(bytes: Uint8Array, file: string) {
    this.#file = file;
    this.view = viewOf(bytes, bytes[0] === MAGIC >> 8 ? "big" : "little");
    if (bytes.length < Header.size) throw this.bad(`${bytes.length} bytes hold no header`, 0);
    const header = Header.cursor(this.view);
    if (header.magic !== MAGIC || header.version !== 1)
      throw this.bad(`magic 0x${header.magic.toString(16)}, version ${header.version}; 0xeb9f and 1 are needed`, 0);
    const typesAt = header.hdr_len + header.type_off;
    const stringsAt = header.hdr_len + header.str_off;
    if (header.hdr_len < Header.size || typesAt % 4 !== 0 || typesAt + header.type_len > bytes.length)
      throw this.bad(`${header.type_len} bytes of types at ${typesAt} do not fit ${bytes.length} bytes`, Header.offsets.type_off);
    if (stringsAt + header.str_len > bytes.length || header.str_len === 0)
      throw this.bad(`${header.str_len} bytes of strings at ${stringsAt} do not fit ${bytes.length} bytes`, Header.offsets.str_off);
    this.#strings = Buffer.from(bytes.buffer, bytes.byteOffset + stringsAt, header.str_len);
    if (this.#strings[0] !== 0 || this.#strings[header.str_len - 1] !== 0)
      throw this.bad("the strings do not start and end with NUL", stringsAt);
    this.#at = this.#walk(typesAt, typesAt + header.type_len);
    this.count = this.#at.length - 1;
  }

  #walk(start: number, end: number): Uint32Array {
    const offsets = [0];
    for (let at = start; at < end; ) {
      if (at + TYPE_SIZE > end) throw this.bad(`type ${offsets.length} is cut off`, at);
      const info = this.view.u32(at + 4);
      const extra = EXTRA[(info >>> 24) & 0x1f];
      if (extra === undefined) throw this.bad(`type ${offsets.length} is of the unknown kind ${(info >>> 24) & 0x1f}`, at);
      offsets.push(at);
      at += TYPE_SIZE + extra[0] + (info & 0xffff) * extra[1];
      if (at > end) throw this.bad(`type ${offsets.length - 1} reaches past the types' end`, at);
    }
    return Uint32Array.from(offsets);
  }

  bad(why: string, offset: number) {
    return fail("KERNEL_BAD_BTF", why, { file: this.#file, section: ".BTF", offset });
  }

  offset(id: number): number {
    const at = this.#at[id];
    if (at === undefined) throw this.bad(`type ${id} of ${this.count} is named`, 0);
    return at;
  }

  info(id: number): number {
    return id === 0 ? 0 : this.view.u32(this.offset(id) + 4);
  }

  /** 0 for void. */
  kind(id: number): number {
    return (this.info(id) >>> 24) & 0x1f;
  }

  vlen(id: number): number {
    return this.info(id) & 0xffff;
  }

  /** The size or the type that the third word gives. */
  third(id: number): number {
    return this.view.u32(this.offset(id) + 8);
  }

  name(id: number): string {
    return this.string(this.view.u32(this.offset(id)));
  }

  string(offset: number): string {
    const known = this.#read.get(offset);
    if (known !== undefined) return known;
    if (offset >= this.#strings.length) throw this.bad(`a name at ${offset} of ${this.#strings.length} bytes of strings`, 0);
    const end = this.#strings.indexOf(0, offset);
    if (end - offset > LONGEST_NAME) throw this.bad(`the name at ${offset} of the strings is ${end - offset} bytes long`, 0);
    const text = this.#strings.toString("latin1", offset, end);
    this.#read.set(offset, text);
    return text;
  }

  /** The type behind typedefs and qualifiers. */
  resolve(id: number): number {
    let resolved = id;
    for (let depth = 0; TRANSPARENT.has(this.kind(resolved)); depth++) {
      if (depth > DEEPEST) throw this.bad(`type ${id} leads through more than ${DEEPEST} types`, this.offset(id));
      resolved = this.third(resolved);
    }
    return resolved;
  }

  /** Bytes; 0 for what has no size (void, functions, structures that are only declared). */
  sizeOf(id: number): number {
    let factor = 1;
    let type = this.resolve(id);
    for (let depth = 0; this.kind(type) === KIND.ARRAY; depth++) {
      const at = this.offset(type) + TYPE_SIZE;
      factor *= this.view.u32(at + 8);
      if (depth > DEEPEST || factor > 2 ** 40) throw this.bad(`array type ${id} is larger than memory`, this.offset(id));
      type = this.resolve(this.view.u32(at));
    }
    switch (this.kind(type)) {
      case KIND.PTR:
        return factor * POINTER_SIZE;
      case KIND.INT:
      case KIND.FLOAT:
      case KIND.STRUCT:
      case KIND.UNION:
      case KIND.ENUM:
      case KIND.ENUM64:
        return factor * this.third(type);
      default:
        return 0;
    }
  }

  /** Types of some kinds that have a name, by it. */
  namesOf(wanted: (kind: number) => boolean): Map<string, number[]> {
    const ids = new Map<string, number[]>();
    for (let id = 1; id <= this.count; id++) {
      if (!wanted(this.kind(id))) continue;
      const name = this.name(id);
      if (name === "") continue;
      const list = ids.get(name);
      if (list === undefined) ids.set(name, [id]);
      else list.push(id);
    }
    return ids;
  }

  /** Those of one name, without reading what others are called. */
  idsNamed(name: string, wanted: (kind: number) => boolean): number[] {
    const ids: number[] = [];
    const places = this.#placesOf(name);
    for (let id = 1; id <= this.count; id++) {
      const place = this.view.u32(this.#at[id] as number);
      if (place >= this.#strings.length) throw this.bad(`a name at ${place} of ${this.#strings.length} bytes of strings`, 0);
      if (places.has(place) && wanted(this.kind(id))) ids.push(id);
    }
    return ids;
  }

  /** All of the strings where it is read, the ends of others too. */
  #placesOf(name: string): Set<number> {
    const places = new Set<number>();
    const text = Buffer.from(`${name}\0`, "latin1");
    for (let at = this.#strings.indexOf(text); at >= 0; at = this.#strings.indexOf(text, at + 1)) places.add(at);
    return places;
  }

  enumerations(): BtfEnumeration[] {
    const found: BtfEnumeration[] = [];
    for (let id = 1; id <= this.count; id++) {
      const kind = this.kind(id);
      if (kind !== KIND.ENUM && kind !== KIND.ENUM64) continue;
      const values: BtfEnumeration["values"] = [];
      for (let i = 0; i < this.vlen(id); i++) {
        const at = this.offset(id) + TYPE_SIZE + i * (kind === KIND.ENUM ? 8 : 12);
        const low = kind === KIND.ENUM ? this.view.i32(at + 4) : this.view.u32(at + 4);
        const high = kind === KIND.ENUM ? 0 : this.view.i32(at + 8);
        values.push([this.string(this.view.u32(at)), high * 2 ** 32 + low]);
      }
      found.push({ name: this.name(id), values });
    }
    return found;
  }
}

/** So many names are looked for one by one: less work than to read those of all types. */
const FEW = 8;

/** Types of some kinds, by name. */
export class NamedTypes {
  readonly #types: BtfTypes;
  readonly #wanted: (kind: number) => boolean;
  #all: Map<string, number[]> | undefined;
  #asked = 0;

  constructor(types: BtfTypes, wanted: (kind: number) => boolean) {
    this.#types = types;
    this.#wanted = wanted;
  }

  /** @throws KERNEL_BAD_BTF */
  of(name: string): number[] {
    if (name === "") return [];
    if (this.#all === undefined && this.#asked++ < FEW) return this.#types.idsNamed(name, this.#wanted);
    return this.all.get(name) ?? [];
  }

  /** @throws KERNEL_BAD_BTF */
  get all(): ReadonlyMap<string, number[]> {
    this.#all ??= this.#types.namesOf(this.#wanted);
    return this.#all;
  }
}
