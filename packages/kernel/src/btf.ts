/**
 * BTF, the kernel's own type information. Source: Documentation/bpf/btf.rst. A header, types in a row (numbered from 1; 0 is void), strings.
 * All types are walked once, to know where each is; names and members are read when they are asked for.
 */
import { defineRecord, viewOf } from "@suture/elf";
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
const TYPE_SIZE = 12;
const LONGEST_NAME = 4096;
/** Of qualifiers, typedefs and arrays within each other, and of structures without a name. */
const DEEPEST = 64;
/** Members of a structure, counted through those without a name. */
const MOST_MEMBERS = 65536;

const KIND = {
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

/** In a shape, prototypes within prototypes are written out so far: pointers to them count too. */
const DEEPEST_PROTOTYPE = 4;
const MOST_PARAMETERS = 32;

/** Of the word after an INT, the bit that says that it is signed. */
const INT_SIGNED = 1 << 24;

/** Kinds that stand for the type that they name. */
const TRANSPARENT = new Set<number>([KIND.TYPEDEF, KIND.VOLATILE, KIND.CONST, KIND.RESTRICT, KIND.TYPE_TAG]);
const COMPOSITE = new Set<number>([KIND.STRUCT, KIND.UNION]);

export interface BtfMember {
  name: string;
  /** Bytes from the start of the structure; for a bit-field, of the byte that holds its first bit. */
  offset: number;
  /** Bytes; for a bit-field, of the type that it is declared with. */
  size: number;
  /** A bit-field's first bit, counted from the structure's start, and its width. */
  bits?: { offset: number; size: number };
}

export interface BtfLayout {
  /** Bytes. */
  size: number;
  /**
   * With what each member's type stands for (see BtfPrototype). The members of a structure without a name follow the member that is one
   * (`in.x`), is an array of them (`in[].x`), or points to one (`in->x`, its offset counted from where the pointer leads).
   */
  members: (BtfMember & { shape: string })[];
}

export interface BtfPrototype {
  /** As C writes it, e.g. `struct file *`. */
  returns: string;
  /** What the words stand for, typedefs and qualifiers taken away: two types of one shape are passed and read alike. */
  returnsShape: string;
  parameters: { name: string; type: string; shape: string }[];
  /** Ends with `...`. */
  variadic: boolean;
}

export interface BtfVariable {
  /** As C writes it. */
  type: string;
  /** What the words stand for (see BtfPrototype). */
  shape: string;
}

/** Where a structure lies in the outermost one: bits from its start, and how many structures there are between. */
interface Within {
  base: number;
  depth: number;
}

/** Members seen so far on the walk through one structure. */
interface Budget {
  members: number;
}

export class Btf {
  /** Types, without void. */
  readonly count: number;
  readonly #file: string;
  readonly #view: DataView;
  readonly #strings: Buffer;
  /** Byte offset of type i at index i; 0 for void. */
  readonly #at: Uint32Array;
  #composites: Map<string, number[]> | undefined;
  #functions: Map<string, number[]> | undefined;
  #variables: Map<string, number[]> | undefined;

  /** @throws KERNEL_BAD_BTF */
  constructor(bytes: Uint8Array, file: string) {
    this.#file = file;
    this.#view = viewOf(bytes);
    if (bytes.length < Header.size) throw this.#bad(`${bytes.length} bytes hold no header`, 0);
    const header = Header.cursor(this.#view);
    if (header.magic !== MAGIC || header.version !== 1)
      throw this.#bad(`magic 0x${header.magic.toString(16)}, version ${header.version}; 0xeb9f and 1 are needed`, 0);
    const typesAt = header.hdr_len + header.type_off;
    const stringsAt = header.hdr_len + header.str_off;
    if (header.hdr_len < Header.size || typesAt % 4 !== 0 || typesAt + header.type_len > bytes.length)
      throw this.#bad(`${header.type_len} bytes of types at ${typesAt} do not fit ${bytes.length} bytes`, Header.offsets.type_off);
    if (stringsAt + header.str_len > bytes.length || header.str_len === 0)
      throw this.#bad(`${header.str_len} bytes of strings at ${stringsAt} do not fit ${bytes.length} bytes`, Header.offsets.str_off);
    this.#strings = Buffer.from(bytes.buffer, bytes.byteOffset + stringsAt, header.str_len);
    if (this.#strings[0] !== 0 || this.#strings[header.str_len - 1] !== 0)
      throw this.#bad("the strings do not start and end with NUL", stringsAt);
    this.#at = this.#walk(typesAt, typesAt + header.type_len);
    this.count = this.#at.length - 1;
  }

  /** Bytes of the struct or union of that name, or of what the typedef of that name stands for. Undefined if none, or several that differ. */
  structSize(name: string): number | undefined {
    const sizes = new Set(this.#compositesNamed(name).map((id) => this.#third(id)));
    const [size] = sizes;
    return sizes.size === 1 ? size : undefined;
  }

  /** The names of all structs and unions, and of typedefs. */
  get compositeNames(): Iterable<string> {
    return this.#compositesByName().keys();
  }

  /** The members of a struct or union, those of members without a name in their place. Undefined if none, or several that differ. */
  members(name: string): BtfMember[] | undefined {
    const [first, ...others] = this.#compositesNamed(name).map((id) => this.#membersOf(id));
    const text = JSON.stringify(first);
    return others.some((members) => JSON.stringify(members) !== text) ? undefined : first;
  }

  /** How the struct or union of that name, or behind the typedef of that name, lies in memory. Undefined if none, or several. */
  layout(name: string): BtfLayout | undefined {
    const [id, ...others] = this.#compositesNamed(name);
    if (id === undefined || others.length > 0) return undefined;
    const members: BtfLayout["members"] = [];
    this.#addShapes(id, { path: "", base: 0, depth: 0 }, { members: 0 }, members);
    return { size: this.#third(id), members };
  }

  /** The prototype of a function. Undefined if none, or several functions of that name that differ. */
  prototype(name: string): BtfPrototype | undefined {
    if (this.#functions === undefined) this.#functions = this.#namesOf((kind) => kind === KIND.FUNC);
    const [first, ...others] = (this.#functions.get(name) ?? []).map((id) => this.#prototypeOf(this.#third(id)));
    const text = JSON.stringify(first);
    return others.some((prototype) => JSON.stringify(prototype) !== text) ? undefined : first;
  }

  /** The type of a variable. Undefined if none, or several of that name that differ. The kernel's own image tells per-cpu variables only. */
  variable(name: string): BtfVariable | undefined {
    this.#variables ??= this.#namesOf((kind) => kind === KIND.VAR);
    const [first, ...others] = (this.#variables.get(name) ?? []).map((id) => {
      const type = this.#third(id);
      return { type: this.#text(type, 0), shape: this.#shape(type, 0) };
    });
    return others.some(({ shape }) => shape !== first?.shape) ? undefined : first;
  }

  #walk(start: number, end: number): Uint32Array {
    const offsets = [0];
    for (let at = start; at < end; ) {
      if (at + TYPE_SIZE > end) throw this.#bad(`type ${offsets.length} is cut off`, at);
      const info = this.#view.getUint32(at + 4, true);
      const extra = EXTRA[(info >>> 24) & 0x1f];
      if (extra === undefined) throw this.#bad(`type ${offsets.length} is of the unknown kind ${(info >>> 24) & 0x1f}`, at);
      offsets.push(at);
      at += TYPE_SIZE + extra[0] + (info & 0xffff) * extra[1];
      if (at > end) throw this.#bad(`type ${offsets.length - 1} reaches past the types' end`, at);
    }
    return Uint32Array.from(offsets);
  }

  #bad(why: string, offset: number) {
    return fail("KERNEL_BAD_BTF", why, { file: this.#file, section: ".BTF", offset });
  }

  #offset(id: number): number {
    const at = this.#at[id];
    if (at === undefined) throw this.#bad(`type ${id} of ${this.count} is named`, 0);
    return at;
  }

  #info(id: number): number {
    return id === 0 ? 0 : this.#view.getUint32(this.#offset(id) + 4, true);
  }

  /** 0 for void. */
  #kind(id: number): number {
    return (this.#info(id) >>> 24) & 0x1f;
  }

  #vlen(id: number): number {
    return this.#info(id) & 0xffff;
  }

  /** The size or the type that the third word gives. */
  #third(id: number): number {
    return this.#view.getUint32(this.#offset(id) + 8, true);
  }

  #name(id: number): string {
    return this.#string(this.#view.getUint32(this.#offset(id), true));
  }

  #string(offset: number): string {
    if (offset >= this.#strings.length) throw this.#bad(`a name at ${offset} of ${this.#strings.length} bytes of strings`, 0);
    const end = this.#strings.indexOf(0, offset);
    if (end - offset > LONGEST_NAME) throw this.#bad(`the name at ${offset} of the strings is ${end - offset} bytes long`, 0);
    return this.#strings.toString("latin1", offset, end);
  }

  #namesOf(wanted: (kind: number) => boolean): Map<string, number[]> {
    const ids = new Map<string, number[]>();
    for (let id = 1; id <= this.count; id++) {
      if (!wanted(this.#kind(id))) continue;
      const name = this.#name(id);
      if (name === "") continue;
      const list = ids.get(name);
      if (list === undefined) ids.set(name, [id]);
      else list.push(id);
    }
    return ids;
  }

  #compositesByName(): Map<string, number[]> {
    this.#composites ??= this.#namesOf((kind) => COMPOSITE.has(kind) || kind === KIND.TYPEDEF);
    return this.#composites;
  }

  #compositesNamed(name: string): number[] {
    const ids = this.#compositesByName().get(name) ?? [];
    const structures = ids.filter((id) => COMPOSITE.has(this.#kind(id)));
    return structures.length > 0 ? structures : ids.map((id) => this.#resolve(id)).filter((id) => COMPOSITE.has(this.#kind(id)));
  }

  /** The type behind typedefs and qualifiers. */
  #resolve(id: number): number {
    let resolved = id;
    for (let depth = 0; TRANSPARENT.has(this.#kind(resolved)); depth++) {
      if (depth > DEEPEST) throw this.#bad(`type ${id} leads through more than ${DEEPEST} types`, this.#offset(id));
      resolved = this.#third(resolved);
    }
    return resolved;
  }

  /** Bytes; 0 for what has no size (void, functions, structures that are only declared). */
  #sizeOf(id: number): number {
    let factor = 1;
    let type = this.#resolve(id);
    for (let depth = 0; this.#kind(type) === KIND.ARRAY; depth++) {
      const at = this.#offset(type) + TYPE_SIZE;
      factor *= this.#view.getUint32(at + 8, true);
      if (depth > DEEPEST || factor > 2 ** 40) throw this.#bad(`array type ${id} is larger than memory`, this.#offset(id));
      type = this.#resolve(this.#view.getUint32(at, true));
    }
    switch (this.#kind(type)) {
      case KIND.PTR:
        return factor * POINTER_SIZE;
      case KIND.INT:
      case KIND.FLOAT:
      case KIND.STRUCT:
      case KIND.UNION:
      case KIND.ENUM:
      case KIND.ENUM64:
        return factor * this.#third(type);
      default:
        return 0;
    }
  }

  #membersOf(id: number): BtfMember[] {
    const members: BtfMember[] = [];
    this.#addMembers(id, { base: 0, depth: 0 }, { members: 0 }, members);
    return members;
  }

  #addMembers(id: number, { base, depth }: Within, budget: Budget, members: BtfMember[]): void {
    for (const { type, start, ...member } of this.#ownMembers(id, { base, depth }, budget)) {
      const resolved = this.#resolve(type);
      if (member.name === "" && COMPOSITE.has(this.#kind(resolved)))
        this.#addMembers(resolved, { base: start, depth: depth + 1 }, budget, members);
      else members.push(member);
    }
  }

  /** @param path of the member whose nameless structure this is, with `.` or `->` at its end */
  #addShapes(id: number, { path, base, depth }: Within & { path: string }, budget: Budget, members: BtfLayout["members"]): void {
    for (const { type, start, ...member } of this.#ownMembers(id, { base, depth }, budget)) {
      const name = `${path}${member.name}`;
      const behind = this.#nameless(type);
      if (member.name !== "" || behind === undefined) members.push({ ...member, name, shape: this.#shape(type, 0) });
      if (behind === undefined) continue;
      const inside = member.name === "" ? path : `${name}${behind.by}`;
      this.#addShapes(behind.id, { path: inside, base: behind.by === "->" ? 0 : start, depth: depth + 1 }, budget, members);
    }
  }

  /** The nameless structure or union that a type is, is an array of, or points to. */
  #nameless(type: number): { id: number; by: "." | "[]." | "->" } | undefined {
    let id = this.#resolve(type);
    let by: "." | "[]." | "->" = ".";
    for (let depth = 0; depth <= DEEPEST; depth++) {
      if (this.#kind(id) === KIND.ARRAY) {
        id = this.#resolve(this.#view.getUint32(this.#offset(id) + TYPE_SIZE, true));
        if (by === ".") by = "[].";
      } else if (this.#kind(id) === KIND.PTR) {
        id = this.#resolve(this.#third(id));
        by = "->";
      } else return COMPOSITE.has(this.#kind(id)) && this.#name(id) === "" ? { id, by } : undefined;
    }
    throw this.#bad(`type ${type} leads through more than ${DEEPEST} types`, this.#offset(type));
  }

  /** The members that a structure has itself, nameless ones too. `start` is in bits. */
  *#ownMembers(id: number, { base, depth }: Within, budget: Budget): Generator<BtfMember & { type: number; start: number }> {
    if (depth > DEEPEST) throw this.#bad(`type ${id} lies within more than ${DEEPEST} structures`, this.#offset(id));
    const hasBits = this.#info(id) >>> 31 === 1;
    const vlen = this.#vlen(id);
    for (let i = 0; i < vlen; i++) {
      const at = this.#offset(id) + TYPE_SIZE + i * 12;
      if (++budget.members > MOST_MEMBERS) throw this.#bad(`more than ${MOST_MEMBERS} members`, at);
      const type = this.#view.getUint32(at + 4, true);
      const position = this.#view.getUint32(at + 8, true);
      const width = hasBits ? position >>> 24 : 0;
      const start = base + (hasBits ? position & 0xffffff : position);
      yield {
        name: this.#string(this.#view.getUint32(at, true)),
        offset: start >>> 3,
        size: this.#sizeOf(type),
        ...(width === 0 ? {} : { bits: { offset: start, size: width } }),
        type,
        start,
      };
    }
  }

  #prototypeOf(id: number): BtfPrototype {
    if (this.#kind(id) !== KIND.FUNC_PROTO) throw this.#bad(`type ${id} is no function prototype`, this.#offset(id));
    const parameters: BtfPrototype["parameters"] = [];
    let variadic = false;
    for (let i = 0; i < this.#vlen(id); i++) {
      const at = this.#offset(id) + TYPE_SIZE + i * 8;
      const type = this.#view.getUint32(at + 4, true);
      if (type === 0) variadic = true;
      else parameters.push({ name: this.#string(this.#view.getUint32(at, true)), type: this.#text(type, 0), shape: this.#shape(type, 0) });
    }
    const returns = this.#third(id);
    return { returns: this.#text(returns, 0), returnsShape: this.#shape(returns, 0), parameters, variadic };
  }

  /** Numbers by size and sign, structures and unions by name, pointers by what they point at, pointers to functions by their prototype. */
  #shape(id: number, depth: number): string {
    if (depth > DEEPEST) throw this.#bad(`type ${id} lies within more than ${DEEPEST} types`, this.#offset(id));
    const type = this.#resolve(id);
    const at = type === 0 ? 0 : this.#offset(type) + TYPE_SIZE;
    switch (this.#kind(type)) {
      case 0:
        return "void";
      case KIND.INT:
        return `${(this.#view.getUint32(at, true) & INT_SIGNED) === 0 ? "u" : "s"}${8 * this.#third(type)}`;
      case KIND.PTR:
        return `${this.#shape(this.#third(type), depth + 1)}*`;
      case KIND.ARRAY:
        return `${this.#shape(this.#view.getUint32(at, true), depth + 1)}[${this.#view.getUint32(at + 8, true)}]`;
      case KIND.ENUM:
      case KIND.ENUM64:
        return `enum${8 * this.#third(type)} ${this.#name(type)}`.trimEnd();
      case KIND.FUNC_PROTO: {
        if (depth > DEEPEST_PROTOTYPE || this.#vlen(type) > MOST_PARAMETERS) return "function";
        const parameters = Array.from({ length: this.#vlen(type) }, (_, i) => this.#view.getUint32(at + 8 * i + 4, true));
        const shapes = parameters.map((parameter) => (parameter === 0 ? "..." : this.#shape(parameter, depth + 1)));
        return `${this.#shape(this.#third(type), depth + 1)}(${shapes.join(",")})`;
      }
      default:
        return this.#text(type, depth + 1);
    }
  }

  /** A type in the words of C; function pointers and arrays in short. */
  #text(id: number, depth: number): string {
    if (depth > DEEPEST) throw this.#bad(`type ${id} lies within more than ${DEEPEST} types`, this.#offset(id));
    const inner = (): string => this.#text(this.#third(id), depth + 1);
    switch (this.#kind(id)) {
      case 0:
        return "void";
      case KIND.PTR: {
        const target = inner();
        return target.endsWith("*") ? `${target}*` : `${target} *`;
      }
      case KIND.ARRAY: {
        const at = this.#offset(id) + TYPE_SIZE;
        return `${this.#text(this.#view.getUint32(at, true), depth + 1)}[${this.#view.getUint32(at + 8, true)}]`;
      }
      case KIND.STRUCT:
        return `struct ${this.#name(id)}`.trimEnd();
      case KIND.UNION:
        return `union ${this.#name(id)}`.trimEnd();
      case KIND.FWD:
        return `${this.#info(id) >>> 31 === 1 ? "union" : "struct"} ${this.#name(id)}`;
      case KIND.ENUM:
      case KIND.ENUM64:
        return `enum ${this.#name(id)}`.trimEnd();
      case KIND.CONST:
        return `${inner()} const`;
      case KIND.VOLATILE:
        return `${inner()} volatile`;
      case KIND.RESTRICT:
        return `${inner()} restrict`;
      case KIND.TYPE_TAG:
        return inner();
      case KIND.FUNC_PROTO:
        return `${inner()} ()`;
      default:
        return this.#name(id);
    }
  }
}
