/** The kernel's own type information, asked by name: structures, prototypes, variables. The format is in btf-types.ts. */
import { shapeOf, textOf } from "./btf-text.ts";
import { type BtfEnumeration, BtfTypes, COMPOSITE, DEEPEST, KIND, NamedTypes, TYPE_SIZE } from "./btf-types.ts";

/** Members of a structure, counted through those without a name. */
const MOST_MEMBERS = 65536;

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

/** In bits; of a member that is no bit-field the width is 0. */
interface MemberPlace {
  type: number;
  start: number;
  width: number;
}

interface Nameless {
  id: number;
  by: "." | "[]." | "->";
}

interface MemberType {
  shape: string;
  size: number;
  behind: Nameless | undefined;
}

/** Members seen so far on the walk through one structure. */
interface Budget {
  members: number;
}

export class Btf {
  readonly #types: BtfTypes;
  /** Typedefs too. */
  readonly #composites: NamedTypes;
  readonly #functions: NamedTypes;
  readonly #variables: NamedTypes;
  #enumerations: BtfEnumeration[] | undefined;
  readonly #memberTypes = new Map<number, MemberType>();

  /** @throws KERNEL_BAD_BTF */
  constructor(bytes: Uint8Array, file: string) {
    this.#types = new BtfTypes(bytes, file);
    this.#composites = new NamedTypes(this.#types, (kind) => COMPOSITE.has(kind) || kind === KIND.TYPEDEF);
    this.#functions = new NamedTypes(this.#types, (kind) => kind === KIND.FUNC);
    this.#variables = new NamedTypes(this.#types, (kind) => kind === KIND.VAR);
  }

  /** Bytes of the struct or union of that name, or of what the typedef of that name stands for. Undefined if none, or several that differ. */
  structSize(name: string): number | undefined {
    const sizes = new Set(this.#compositesNamed(name).map((id) => this.#types.third(id)));
    const [size] = sizes;
    return sizes.size === 1 ? size : undefined;
  }

  /** The names of all structs and unions, and of typedefs. */
  get compositeNames(): Iterable<string> {
    return this.#composites.all.keys();
  }

  /** The members of a struct or union, those of members without a name in their place. Undefined if none, or several that differ. */
  members(name: string): BtfMember[] | undefined {
    const [first, ...others] = this.#compositesNamed(name).map((id) => this.#membersOf(id));
    const text = JSON.stringify(first);
    return others.some((members) => JSON.stringify(members) !== text) ? undefined : first;
  }

  /** How the structs and unions of that name, and what typedefs of that name stand for, lie in memory: each different layout once. */
  layouts(name: string): BtfLayout[] {
    const ids = this.#composites.of(name).map((id) => this.#types.resolve(id));
    const layouts: BtfLayout[] = [];
    for (const id of new Set(ids)) {
      if (!COMPOSITE.has(this.#types.kind(id))) continue;
      const members: BtfLayout["members"] = [];
      this.#addShapes(id, { path: "", base: 0, depth: 0 }, { members: 0 }, members);
      layouts.push({ size: this.#types.third(id), members });
    }
    return layouts.length < 2 ? layouts : [...new Map(layouts.map((layout) => [JSON.stringify(layout), layout])).values()];
  }

  /** All enumerations. */
  get enumerations(): readonly BtfEnumeration[] {
    this.#enumerations ??= this.#types.enumerations();
    return this.#enumerations;
  }

  /** The prototype of a function. Undefined if none, or several functions of that name that differ. */
  prototype(name: string): BtfPrototype | undefined {
    const [first, ...others] = this.#functions.of(name).map((id) => this.#prototypeOf(this.#types.third(id)));
    const text = JSON.stringify(first);
    return others.some((prototype) => JSON.stringify(prototype) !== text) ? undefined : first;
  }

  /** That of the functions which a variable points to. Undefined if there is no such variable, or it does not. */
  prototypeBehind(variable: string): BtfPrototype | undefined {
    const [id] = this.#variables.of(variable);
    const pointer = id === undefined ? 0 : this.#types.resolve(this.#types.third(id));
    const behind = this.#types.kind(pointer) === KIND.PTR ? this.#types.resolve(this.#types.third(pointer)) : 0;
    return this.#types.kind(behind) === KIND.FUNC_PROTO ? this.#prototypeOf(behind) : undefined;
  }

  /** The type of a variable. Undefined if none, or several of that name that differ. The kernel's own image tells per-cpu variables only. */
  variable(name: string): BtfVariable | undefined {
    const [first, ...others] = this.#variables.of(name).map((id) => {
      const type = this.#types.third(id);
      return { type: textOf(this.#types, type), shape: shapeOf(this.#types, type) };
    });
    return others.some(({ shape }) => shape !== first?.shape) ? undefined : first;
  }

  #compositesNamed(name: string): number[] {
    const ids = this.#composites.of(name);
    const structures = ids.filter((id) => COMPOSITE.has(this.#types.kind(id)));
    return structures.length > 0
      ? structures
      : ids.map((id) => this.#types.resolve(id)).filter((id) => COMPOSITE.has(this.#types.kind(id)));
  }

  #membersOf(id: number): BtfMember[] {
    const members: BtfMember[] = [];
    this.#addMembers(id, { base: 0, depth: 0 }, { members: 0 }, members);
    return members;
  }

  #addMembers(id: number, { base, depth }: Within, budget: Budget, members: BtfMember[]): void {
    this.#visitMembers(id, { base, depth }, budget, (name, place) => {
      const resolved = this.#types.resolve(place.type);
      if (name === "" && COMPOSITE.has(this.#types.kind(resolved)))
        this.#addMembers(resolved, { base: place.start, depth: depth + 1 }, budget, members);
      else {
        const { start, width } = place;
        const member = { name, offset: start >>> 3, size: this.#types.sizeOf(place.type) };
        members.push(width === 0 ? member : { ...member, bits: { offset: start, size: width } });
      }
    });
  }

  /** @param path of the member whose nameless structure this is, with `.` or `->` at its end */
  #addShapes(id: number, { path, base, depth }: Within & { path: string }, budget: Budget, members: BtfLayout["members"]): void {
    this.#visitMembers(id, { base, depth }, budget, (own, { type, start, width }) => {
      const { shape, size, behind } = this.#typeOf(type);
      const name = path === "" ? own : `${path}${own}`;
      if (own !== "" || behind === undefined) {
        const offset = start >>> 3;
        members.push(width === 0 ? { name, offset, size, shape } : { name, offset, size, bits: { offset: start, size: width }, shape });
      }
      if (behind === undefined) return;
      const inside = own === "" ? path : `${name}${behind.by}`;
      this.#addShapes(behind.id, { path: inside, base: behind.by === "->" ? 0 : start, depth: depth + 1 }, budget, members);
    });
  }

  #typeOf(type: number): MemberType {
    let known = this.#memberTypes.get(type);
    if (known === undefined) {
      known = { shape: shapeOf(this.#types, type), size: this.#types.sizeOf(type), behind: this.#nameless(type) };
      this.#memberTypes.set(type, known);
    }
    return known;
  }

  /** The nameless structure or union that a type is, is an array of, or points to. */
  #nameless(type: number): Nameless | undefined {
    let id = this.#types.resolve(type);
    let by: "." | "[]." | "->" = ".";
    for (let depth = 0; depth <= DEEPEST; depth++) {
      if (this.#types.kind(id) === KIND.ARRAY) {
        id = this.#types.resolve(this.#types.view.u32(this.#types.offset(id) + TYPE_SIZE));
        if (by === ".") by = "[].";
      } else if (this.#types.kind(id) === KIND.PTR) {
        id = this.#types.resolve(this.#types.third(id));
        by = "->";
      } else return COMPOSITE.has(this.#types.kind(id)) && this.#types.name(id) === "" ? { id, by } : undefined;
    }
    throw this.#types.bad(`type ${type} leads through more than ${DEEPEST} types`, this.#types.offset(type));
  }

  /** The members that a structure has itself, nameless ones too. */
  #visitMembers(id: number, { base, depth }: Within, budget: Budget, visit: (name: string, place: MemberPlace) => void): void {
    if (depth > DEEPEST) throw this.#types.bad(`type ${id} lies within more than ${DEEPEST} structures`, this.#types.offset(id));
    const { view } = this.#types;
    const hasBits = this.#types.info(id) >>> 31 === 1;
    const end = this.#types.vlen(id);
    for (let i = 0, at = this.#types.offset(id) + TYPE_SIZE; i < end; i++, at += 12) {
      if (++budget.members > MOST_MEMBERS) throw this.#types.bad(`more than ${MOST_MEMBERS} members`, at);
      const position = view.u32(at + 8);
      const start = base + (hasBits ? position & 0xffffff : position);
      visit(this.#types.string(view.u32(at)), { type: view.u32(at + 4), start, width: hasBits ? position >>> 24 : 0 });
    }
  }

  #prototypeOf(id: number): BtfPrototype {
    if (this.#types.kind(id) !== KIND.FUNC_PROTO) throw this.#types.bad(`type ${id} is no function prototype`, this.#types.offset(id));
    const parameters: BtfPrototype["parameters"] = [];
    let variadic = false;
    for (let i = 0; i < this.#types.vlen(id); i++) {
      const at = this.#types.offset(id) + TYPE_SIZE + i * 8;
      const type = this.#types.view.u32(at + 4);
      if (type === 0) variadic = true;
      else
        parameters.push({
          name: this.#types.string(this.#types.view.u32(at)),
          type: textOf(this.#types, type),
          shape: shapeOf(this.#types, type),
        });
    }
    const returns = this.#types.third(id);
    return { returns: textOf(this.#types, returns), returnsShape: shapeOf(this.#types, returns), parameters, variadic };
  }
}
