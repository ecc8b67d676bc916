/** The types of an object's variables and its enumerations, in the words that Btf has for them, out of the debug information that the compiler wrote. */
import { type ElfObject, type ElfSymbol, isSection, type Section } from "@suture/elf";
import type { BtfLayout } from "@suture/kernel";
import { dwarfEntries, type Entry, TAG } from "./dwarf-entries.ts";
import { fail } from "./errors.ts";

/** Of qualifiers, typedefs, arrays and structures within each other. */
const DEEPEST = 64;
/** In a shape, prototypes within prototypes are written out so far. */
const DEEPEST_PROTOTYPE = 4;
const MOST_MEMBERS = 65536;
const POINTER_SIZE = 8;

const TRANSPARENT = new Set<number>([TAG.TYPEDEF, TAG.CONST, TAG.VOLATILE, TAG.RESTRICT, TAG.ATOMIC]);
const COMPOSITE = new Set<number>([TAG.STRUCTURE, TAG.UNION]);
const SCOPE = new Set<number>([TAG.SUBPROGRAM, TAG.LEXICAL_BLOCK, TAG.INLINED]);
/** DW_ATE_signed, DW_ATE_signed_char */
const SIGNED = new Set<number | undefined>([5, 6]);

export interface Variable {
  /** As the source has it. */
  name: string;
  /** Bytes; 0 where only a declaration without a length is seen. */
  size: number;
  /** See BtfPrototype. */
  shape: string;
  /**
   * Of structures that only this variable says anything of, those without a name and those of a function: their members, as BtfLayout has those of
   * nameless members.
   */
  members: BtfLayout["members"];
}

export interface Enumeration {
  /** Empty for one without a name. */
  name: string;
  /** The function that defines it; empty for one of the file. */
  scope: string;
  values: [name: string, value: number][];
}

const known = new WeakMap<ElfObject, DwarfTypes>();

/** Where a walk through the structures of a variable is. */
interface Walk {
  /** Members seen so far. */
  seen: { members: number };
  /** The structures that are being written down: one may lead to itself. */
  within: readonly Entry[];
  /** What stands before the members' names. */
  path: string;
  /** Bits from the start of the variable, or from where the last pointer leads. */
  base: number;
}

/** A structure, and how it is reached: `[]` for an array of such, `->` for a pointer. */
interface Inside {
  structure: Entry;
  by: string;
}

export class DwarfTypes {
  readonly #file: string;
  /** By offset in .debug_info. */
  readonly entries: ReadonlyMap<number, Entry>;
  #placed: Map<Section, Map<number, Entry>> | undefined;
  #declared: Map<string, Entry> | undefined;

  private constructor(file: string, entries: ReadonlyMap<number, Entry>) {
    this.#file = file;
    this.entries = entries;
  }

  /** Read once for an object; undefined if it has no debug information. @throws BUILD_BAD_DWARF */
  static of(elf: ElfObject): DwarfTypes | undefined {
    let types = known.get(elf);
    if (types === undefined) {
      const entries = dwarfEntries(elf);
      types = entries === undefined ? undefined : new DwarfTypes(elf.file, entries);
      if (types !== undefined) known.set(elf, types);
    }
    return types;
  }

  /** The variable of a symbol: what is defined there, or what the file declares by that name. */
  variable({ place, value, name }: ElfSymbol): Variable | undefined {
    if (this.#placed === undefined || this.#declared === undefined) [this.#placed, this.#declared] = this.#variables();
    const entry = isSection(place) ? this.#placed.get(place)?.get(value) : this.#declared.get(name);
    return entry === undefined ? undefined : this.#variableOf(entry);
  }

  /**
   * Variables by `SCOPE NAME`. One that the compiler has made away with is described all the same: nothing reads it, or nothing writes it, and its
   * initial value is read instead. Of several of one name, one that is kept.
   */
  get defined(): ReadonlyMap<string, { kept: ElfSymbol | undefined; variable: () => Variable }> {
    const found = new Map<string, { kept: ElfSymbol | undefined; variable: () => Variable }>();
    for (const entry of this.entries.values()) {
      if (entry.tag !== TAG.VARIABLE || entry.declaration === true) continue;
      const key = `${this.#scopeOf(entry)} ${this.#nameOf(entry) ?? ""}`;
      const kept = entry.place?.symbol;
      if (!found.has(key) || (kept !== undefined && found.get(key)?.kept === undefined))
        found.set(key, { kept, variable: () => this.#variableOf(entry) });
    }
    return found;
  }

  get enumerations(): Enumeration[] {
    const found: Enumeration[] = [];
    for (const entry of this.entries.values()) {
      if (entry.tag !== TAG.ENUMERATION) continue;
      const values = entry.children.flatMap(({ tag, name, value }): [string, number][] =>
        tag === TAG.ENUMERATOR && name !== undefined && value !== undefined ? [[name, value]] : [],
      );
      found.push({ name: entry.name ?? "", scope: this.#scopeOf(entry), values });
    }
    return found;
  }

  #variables(): [Map<Section, Map<number, Entry>>, Map<string, Entry>] {
    const placed = new Map<Section, Map<number, Entry>>();
    const declared = new Map<string, Entry>();
    for (const entry of this.entries.values()) {
      if (entry.tag !== TAG.VARIABLE) continue;
      if (entry.place === undefined) {
        if (entry.declaration === true && entry.name !== undefined) declared.set(entry.name, entry);
        continue;
      }
      const { symbol, addend } = entry.place;
      if (!isSection(symbol.place)) {
        declared.set(symbol.name, entry);
        continue;
      }
      let offsets = placed.get(symbol.place);
      if (offsets === undefined) {
        offsets = new Map();
        placed.set(symbol.place, offsets);
      }
      offsets.set(symbol.value + addend, entry);
    }
    return [placed, declared];
  }

  #variableOf(entry: Entry): Variable {
    const type = this.#typeOf(entry);
    const members: BtfLayout["members"] = [];
    const inside = this.#own(type);
    if (inside !== undefined) {
      const path = inside.by === "" ? "" : separator(inside);
      this.#addMembers(inside.structure, { seen: { members: 0 }, within: [], path, base: 0 }, members);
    }
    return { name: this.#nameOf(entry) ?? "", size: this.sizeOf(type), shape: this.#shapeOf(type, 0), members };
  }

  /** An entry, and the one that it completes. */
  *#parts(entry: Entry): Generator<Entry> {
    let part: Entry | undefined = entry;
    for (let depth = 0; part !== undefined && depth <= DEEPEST; depth++) {
      yield part;
      part = part.origin === undefined ? undefined : this.entries.get(part.origin);
    }
  }

  /** An entry's name and type, which the one that it completes may say. */
  whole(entry: Entry): { name: string | undefined; type: number | undefined } {
    return { name: this.#nameOf(entry), type: this.#typeOf(entry) };
  }

  #nameOf(entry: Entry): string | undefined {
    for (const { name } of this.#parts(entry)) if (name !== undefined) return name;
    return undefined;
  }

  #typeOf(entry: Entry): number | undefined {
    for (const { type } of this.#parts(entry)) if (type !== undefined) return type;
    return undefined;
  }

  #scopeOf(entry: Entry): string {
    for (let at = entry.parent; at !== undefined; at = at.parent) if (at.tag === TAG.SUBPROGRAM) return this.#nameOf(at) ?? "?";
    return "";
  }

  /** The type behind typedefs and qualifiers; undefined for void. */
  #resolve(type: number | undefined): Entry | undefined {
    let at = type;
    for (let depth = 0; at !== undefined; depth++) {
      const entry = this.entries.get(at);
      if (entry === undefined || depth > DEEPEST)
        throw fail("BUILD_BAD_DWARF", `type 0x${at.toString(16)} is not there, or leads through too many`, {
          file: this.#file,
          section: ".debug_info",
          offset: at,
        });
      if (!TRANSPARENT.has(entry.tag)) return entry;
      at = entry.type;
    }
    return undefined;
  }

  /** Of an array, the outermost first. */
  lengthsOf(array: Entry): number[] {
    return array.children
      .filter(({ tag }) => tag === TAG.SUBRANGE)
      .map(({ count, upperBound }) => count ?? (upperBound === undefined || upperBound < 0 || upperBound >= 2 ** 63 ? 0 : upperBound + 1));
  }

  /** Bytes; 0 for what has no size. */
  sizeOf(type: number | undefined): number {
    const entry = this.#resolve(type);
    if (entry === undefined) return 0;
    if (entry.tag === TAG.ARRAY) return this.lengthsOf(entry).reduce((product, length) => product * length, this.sizeOf(entry.type));
    return entry.tag === TAG.POINTER ? POINTER_SIZE : (entry.size ?? 0);
  }

  #shapeOf(type: number | undefined, depth: number): string {
    const entry = this.#resolve(type);
    if (entry === undefined) return "void";
    if (depth > DEEPEST) return "?";
    const name = entry.name ?? "";
    switch (entry.tag) {
      case TAG.BASE:
        return `${SIGNED.has(entry.encoding) ? "s" : "u"}${8 * (entry.size ?? 0)}`;
      case TAG.POINTER:
        return `${this.#shapeOf(entry.type, depth + 1)}*`;
      case TAG.ARRAY:
        return `${this.#shapeOf(entry.type, depth + 1)}${this.lengthsOf(entry)
          .map((length) => `[${length}]`)
          .join("")}`;
      case TAG.ENUMERATION:
        return `enum${8 * (entry.size ?? 0)} ${name}`.trimEnd();
      case TAG.STRUCTURE:
        return `struct ${name}`.trimEnd();
      case TAG.UNION:
        return `union ${name}`.trimEnd();
      case TAG.SUBROUTINE_TYPE: {
        if (depth > DEEPEST_PROTOTYPE) return "function";
        const parameters = entry.children.flatMap(({ tag, type: parameter }) =>
          tag === TAG.PARAMETER ? [this.#shapeOf(parameter, depth + 1)] : tag === TAG.UNSPECIFIED_PARAMETERS ? ["..."] : [],
        );
        return `${this.#shapeOf(entry.type, depth + 1)}(${parameters.join(",")})`;
      }
      default:
        return `type 0x${entry.tag.toString(16)} ${name}`.trimEnd();
    }
  }

  #addMembers(structure: Entry, { seen, within, path, base }: Walk, members: BtfLayout["members"]): void {
    if (within.includes(structure)) return;
    for (const member of structure.children) {
      if (member.tag !== TAG.MEMBER) continue;
      if (++seen.members > MOST_MEMBERS || within.length > DEEPEST)
        throw fail("BUILD_BAD_DWARF", `more than ${MOST_MEMBERS} members`, { file: this.#file, section: ".debug_info" });
      const name = `${path}${member.name ?? ""}`;
      const size = this.sizeOf(member.type);
      const bit = base + bitOf(member, size);
      const inside = this.#own(member.type);
      if (member.name !== undefined || inside === undefined)
        members.push({
          name,
          offset: bit >>> 3,
          size,
          ...(member.bitSize === undefined ? {} : { bits: { offset: bit, size: member.bitSize } }),
          shape: this.#shapeOf(member.type, 0),
        });
      if (inside === undefined) continue;
      const prefix = member.name === undefined ? path : `${name}${separator(inside)}`;
      const start = inside.by.includes("->") ? 0 : bit;
      this.#addMembers(inside.structure, { seen, within: [...within, structure], path: prefix, base: start }, members);
    }
  }

  /** The structure or union that a type is, is an array of, or points to, if it is one of those that are known by the variable only. */
  #own(type: number | undefined): Inside | undefined {
    let entry = this.#resolve(type);
    let by = "";
    for (let depth = 0; entry !== undefined && depth <= DEEPEST; depth++) {
      if (entry.tag === TAG.ARRAY) by = by.endsWith("[]") ? by : `${by}[]`;
      else if (entry.tag === TAG.POINTER) by = `${by}->`;
      else return COMPOSITE.has(entry.tag) && (entry.name === undefined || isLocal(entry)) ? { structure: entry, by } : undefined;
      entry = this.#resolve(entry.type);
    }
    return undefined;
  }
}

/** Between what has the structure and the names of its members. */
function separator({ by }: Inside): string {
  return by.endsWith("->") ? by : `${by}.`;
}

/** Defined in a function. */
export function isLocal(entry: Entry): boolean {
  for (let at = entry.parent; at !== undefined; at = at.parent) if (SCOPE.has(at.tag)) return true;
  return false;
}

/** Where a member starts, in bits. */
export function bitOf({ offset = 0, bitOffset, bitSize, oldBitOffset }: Entry, size: number): number {
  if (bitOffset !== undefined) return bitOffset;
  if (oldBitOffset !== undefined) return 8 * offset + 8 * size - oldBitOffset - (bitSize ?? 0);
  return 8 * offset;
}
