/**
 * What the compiler wrote of an object's types. Compilers that do not know BTF write DWARF, which says all that BTF does: it is put in BTF's words, as
 * those that know it do themselves, so that one reader does for both.
 */
import { type ElfObject, viewOf } from "@suture/elf";
import { BTF_KIND, Btf } from "@suture/kernel";
import { bitOf, DwarfTypes, isLocal } from "./dwarf.ts";
import { type Entry, TAG } from "./dwarf-entries.ts";
import { fail } from "./errors.ts";

const known = new WeakMap<ElfObject, Btf>();

/** Undefined if it wrote none. @throws KERNEL_BAD_BTF, BUILD_BAD_DWARF */
export function objectTypes(elf: ElfObject): Btf | undefined {
  const section = elf.sections.find(({ name }) => name === ".BTF");
  if (section !== undefined) return new Btf(section.data, elf.file);
  let types = known.get(elf);
  if (types === undefined) {
    const dwarf = DwarfTypes.of(elf);
    if (dwarf === undefined) return undefined;
    types = new Btf(new Encoder(elf.file, dwarf).bytes(), elf.file);
    known.set(elf, types);
  }
  return types;
}

/** Of types that only stand for another. */
const LEADING: ReadonlyMap<number, number> = new Map([
  [TAG.POINTER, BTF_KIND.PTR],
  [TAG.TYPEDEF, BTF_KIND.TYPEDEF],
  [TAG.CONST, BTF_KIND.CONST],
  [TAG.VOLATILE, BTF_KIND.VOLATILE],
  [TAG.RESTRICT, BTF_KIND.RESTRICT],
  // BTF has no word for it; both are looked through.
  [TAG.ATOMIC, BTF_KIND.VOLATILE],
]);
/** DW_ATE_complex_float, DW_ATE_float; DW_ATE_signed, DW_ATE_signed_char. */
const FLOATS = new Set<number | undefined>([3, 4]);
const SIGNED = new Set<number | undefined>([5, 6]);
const FLAG = 0x80000000;
const MOST = 0xffff;
/** Where a member may begin in a structure with bit-fields. */
const BITS = 2 ** 24;
const HEADER_SIZE = 24;

class Encoder {
  readonly #file: string;
  readonly #dwarf: DwarfTypes;
  /** The words of each type, in the order of their numbers, which begin with 1. */
  readonly #types: (() => number[])[] = [];
  readonly #ids = new Map<Entry, number>();
  readonly #names = new Map<string, number>([["", 0]]);
  #text = "\0";

  constructor(file: string, dwarf: DwarfTypes) {
    this.#file = file;
    this.#dwarf = dwarf;
  }

  bytes(): Uint8Array {
    const entries = [...this.#dwarf.entries.values()];
    // What a later entry says the rest of, as a definition does of what was only declared.
    const completed = new Set(entries.flatMap(({ origin }) => (origin === undefined ? [] : (this.#dwarf.entries.get(origin) ?? []))));
    for (const entry of entries) this.#plan(entry, completed);
    const words = this.#types.flatMap((type) => type());
    const strings = Buffer.from(this.#text, "latin1");
    const out = Buffer.alloc(HEADER_SIZE + 4 * words.length + strings.length);
    const view = viewOf(out, "little");
    const length = 4 * words.length;
    for (const [i, word] of [0x0001eb9f, HEADER_SIZE, 0, length, length, strings.length, ...words].entries()) view.setU32(4 * i, word);
    strings.copy(out, HEADER_SIZE + length);
    return out;
  }

  #plan(entry: Entry, completed: ReadonlySet<Entry>): void {
    const { tag } = entry;
    const name = nameOf(entry);
    const leading = LEADING.get(tag);
    if (leading !== undefined) this.#add(entry, () => this.#head(tag === TAG.TYPEDEF ? name : "", leading, 0, this.#id(entry.type)));
    else if (tag === TAG.BASE) this.#add(entry, () => this.#number(entry));
    else if (tag === TAG.ARRAY) this.#array(entry);
    else if (tag === TAG.STRUCTURE || tag === TAG.UNION) this.#add(entry, () => this.#structure(entry));
    else if (tag === TAG.ENUMERATION) this.#add(entry, () => this.#enumeration(entry));
    else if (tag === TAG.SUBROUTINE_TYPE) this.#add(entry, () => this.#prototype(entry));
    else if (tag === TAG.SUBPROGRAM && name !== "") {
      // Of what is only called, older compilers say no more than the name.
      if (entry.declaration === true && entry.prototyped !== true) return;
      this.#types.push(() => this.#prototype(entry));
      const prototype = this.#types.length;
      this.#types.push(() => this.#head(name, BTF_KIND.FUNC, 0, prototype));
    } else if (tag === TAG.VARIABLE && entry.parent?.tag === TAG.COMPILE_UNIT && !completed.has(entry)) {
      const { name: own, type } = this.#dwarf.whole(entry);
      this.#types.push(() => [...this.#head(own ?? "", BTF_KIND.VAR, 0, this.#id(type)), 1]);
    }
  }

  #add(entry: Entry, words: () => number[]): void {
    this.#types.push(words);
    this.#ids.set(entry, this.#types.length);
  }

  #bad(why: string) {
    return fail("BUILD_BAD_DWARF", why, { file: this.#file, section: ".debug_info" });
  }

  /** 0 for void. */
  #id(offset: number | undefined): number {
    if (offset === undefined) return 0;
    const entry = this.#dwarf.entries.get(offset);
    const id = entry === undefined ? undefined : this.#ids.get(entry);
    if (id === undefined)
      throw this.#bad(
        `0x${offset.toString(16)} is named as a type, and is ${entry === undefined ? "not there" : `a 0x${entry.tag.toString(16)}`}`,
      );
    return id;
  }

  #name(text: string): number {
    let at = this.#names.get(text);
    if (at === undefined) {
      at = this.#text.length;
      this.#names.set(text, at);
      this.#text += `${text}\0`;
    }
    return at;
  }

  /** @param third the size or the type */
  #head(name: string, kind: number, count: number, third: number, flag = false): number[] {
    if (count > MOST) throw this.#bad(`${name} has ${count} parts`);
    return [this.#name(name), (flag ? FLAG : 0) | (kind << 24) | count, third];
  }

  #number({ name = "", size = 0, encoding }: Entry): number[] {
    if (FLOATS.has(encoding)) return this.#head(name, BTF_KIND.FLOAT, 0, size);
    return [...this.#head(name, BTF_KIND.INT, 0, size), (SIGNED.has(encoding) ? 1 << 24 : 0) | (8 * size)];
  }

  /** One of BTF's for each of its lengths, the last one's around the others, as gcc writes them. */
  #array(entry: Entry): void {
    const lengths = this.#dwarf.lengthsOf(entry).reverse();
    const first = this.#types.length + 1;
    this.#ids.set(entry, first);
    for (const [i, length] of (lengths.length === 0 ? [0] : lengths).entries()) {
      if (length > 0xffffffff) throw this.#bad(`an array of ${length}`);
      const inner = (): number => (i + 1 < lengths.length ? first + i + 1 : this.#id(entry.type));
      this.#types.push(() => [...this.#head("", BTF_KIND.ARRAY, 0, 0), inner(), 0, length]);
    }
  }

  #structure(entry: Entry): number[] {
    const { tag, size = 0, declaration, children } = entry;
    const name = nameOf(entry);
    const isUnion = tag === TAG.UNION;
    if (declaration === true) return this.#head(name, BTF_KIND.FWD, 0, 0, isUnion);
    const members = children.filter((child) => child.tag === TAG.MEMBER);
    const flag = members.some(({ bitSize }) => bitSize !== undefined);
    return [
      ...this.#head(name, isUnion ? BTF_KIND.UNION : BTF_KIND.STRUCT, members.length, size, flag),
      ...members.flatMap((member) => {
        const at = bitOf(member, this.#dwarf.sizeOf(member.type));
        if (at < 0 || at >= (flag ? BITS : 2 ** 32)) throw this.#bad(`${name} has ${member.name ?? "a member"} at bit ${at}`);
        const place = flag ? ((member.bitSize ?? 0) << 24) | at : at;
        return [this.#name(member.name ?? ""), this.#id(member.type), place];
      }),
    ];
  }

  /** One that is only declared is written as compilers that know BTF do. */
  #enumeration(entry: Entry): number[] {
    const { size = 0, declaration, children } = entry;
    const name = nameOf(entry);
    if (declaration === true) return this.#head(name, BTF_KIND.FWD, 0, 0);
    const values = children.flatMap((child) => (child.tag === TAG.ENUMERATOR ? [[child.name ?? "", child.value ?? 0] as const] : []));
    const isWide = values.some(([, value]) => value < -(2 ** 31) || value >= 2 ** 32);
    return [
      ...this.#head(name, isWide ? BTF_KIND.ENUM64 : BTF_KIND.ENUM, values.length, size),
      ...values.flatMap(([own, value]) => {
        const low = ((value % 2 ** 32) + 2 ** 32) % 2 ** 32;
        return [this.#name(own), low, ...(isWide ? [Math.floor(value / 2 ** 32)] : [])];
      }),
    ];
  }

  #prototype({ type, children }: Entry): number[] {
    const parameters = children.flatMap((child) =>
      child.tag === TAG.PARAMETER
        ? [this.#name(this.#dwarf.whole(child).name ?? ""), this.#id(this.#dwarf.whole(child).type)]
        : child.tag === TAG.UNSPECIFIED_PARAMETERS
          ? [0, 0]
          : [],
    );
    return [...this.#head("", BTF_KIND.FUNC_PROTO, parameters.length / 2, this.#id(type)), ...parameters];
  }
}

/** Types of a function's own are nobody else's: BTF has no names of theirs. */
function nameOf(entry: Entry): string {
  return isLocal(entry) ? "" : (entry.name ?? "");
}
