/** Whether two items are the same thing in two builds: size, bytes outside of references, and what each reference goes to. */
import { type ElfSymbol, isSection, SHT, STB } from "@suture/elf";
import type { Correlation } from "./correlation.ts";
import { type Item, type ItemizedObject, isItem, type Ref, sizeOf } from "./items.ts";
import { comparedBytes, isLiteral } from "./literals.ts";
import { isBookkeeping, stem } from "./names.ts";
import { ownerOf } from "./rows.ts";

export interface Body {
  bytes: Uint8Array;
  size: number;
  refs: readonly Ref[];
}

export class Comparer {
  readonly #original: ItemizedObject;
  readonly #patched: ItemizedObject;
  readonly #correlation: Correlation;
  readonly #literals = new Map<Item, Map<Item, boolean>>();
  /** Literals that are being compared, the outermost first. */
  readonly #pending: [Item, Item][] = [];
  /** The outermost of them that was taken for equal since the innermost was begun. */
  #taken = Number.POSITIVE_INFINITY;
  /** By the original's section: whether the patched one holds the same items at the same places. */
  readonly #layouts = new Map<readonly Item[], boolean>();

  readonly #isElsewhere: (name: string) => boolean;

  /** @param isElsewhere whether another object's definition is meant by the name, in whichever object it is */
  constructor(
    original: ItemizedObject,
    patched: ItemizedObject,
    correlation: Correlation,
    isElsewhere: (name: string) => boolean = () => false,
  ) {
    this.#isElsewhere = isElsewhere;
    this.#original = original;
    this.#patched = patched;
    this.#correlation = correlation;
  }

  /** Undefined if equal, otherwise what differs first, for people. */
  items(original: Item, patched: Item): string | undefined {
    // Where a section's layout is the same, equal displacements go to equal places.
    const plain = original.kind !== "function" || this.#sameLayout(original, patched);
    return this.difference(
      { bytes: contents(original, patched), size: sizeOf(original), refs: plain ? original.refs : this.#original.refsOf(original) },
      { bytes: contents(patched, original), size: sizeOf(patched), refs: plain ? patched.refs : this.#patched.refsOf(patched) },
    );
  }

  difference(original: Body, patched: Body): string | undefined {
    if (original.size !== patched.size) return `size ${original.size} → ${patched.size}`;
    if (original.bytes.length !== patched.bytes.length) return "initial contents";
    if (original.refs.length !== patched.refs.length) return `${original.refs.length} → ${patched.refs.length} references`;
    for (let i = 0; i < original.refs.length; i++) {
      const a = original.refs[i];
      const b = patched.refs[i];
      if (a === undefined || b === undefined || !this.sameRef(a, b)) return `reference at 0x${(b?.at ?? 0).toString(16)}`;
    }
    const at = firstOtherByte(original, patched, (type) => this.#original.arch.relocations.kind(type)?.size);
    return at === undefined ? undefined : `byte at 0x${at.toString(16)}`;
  }

  sameRef(a: Ref, b: Ref): boolean {
    return a.at === b.at && a.type === b.type && a.addend === b.addend && a.weak?.name === b.weak?.name && this.#same(a.to, b.to);
  }

  #same(a: Item | ElfSymbol, b: Item | ElfSymbol): boolean {
    if (!isItem(a) || !isItem(b)) {
      if (isItem(a) !== isItem(b)) return this.#isElsewhere(a.name) && globalName(a) === globalName(b);
      return !isItem(a) && !isItem(b) && a.name === b.name && placeName(a) === placeName(b);
    }
    if (this.#correlation.joined(a, b)) return true;
    if (isLiteral(a) && isLiteral(b)) return this.#sameLiteral(a, b);
    if (a.kind === "row" || b.kind === "row") return this.#sameRow(a, b);
    // Bookkeeping without a twin: which of several with the same contents is meant makes no difference.
    return a.role === b.role && isBookkeeping(a.name) && stem(a.name) === stem(b.name) && this.items(a, b) === undefined;
  }

  /** Entries about the same place in code: what they say is compared with that code. */
  #sameRow(a: Item, b: Item): boolean {
    if (a.kind !== b.kind || a.section.name !== b.section.name) return false;
    const before = ownerOf(this.#original, a);
    const after = ownerOf(this.#patched, b);
    return before !== undefined && after !== undefined && before.at === after.at && this.#correlation.joined(before.item, after.item);
  }

  /** A literal that refers to itself in a circle is equal if nothing else differs: as long as it is compared, it is taken for equal. */
  #sameLiteral(a: Item, b: Item): boolean {
    const known = this.#literals.get(a)?.get(b);
    if (known !== undefined) return known;
    const pending = this.#pending.findIndex(([one, other]) => one === a && other === b);
    if (pending >= 0) {
      this.#taken = Math.min(this.#taken, pending);
      return true;
    }
    const before = this.#taken;
    this.#taken = Number.POSITIVE_INFINITY;
    const depth = this.#pending.push([a, b]) - 1;
    const equal = a.role === b.role && this.items(a, b) === undefined;
    this.#pending.pop();
    // Equal inside of a circle is known only where the circle is closed; what differs, differs.
    if (!equal || this.#taken >= depth) {
      const row = this.#literals.get(a) ?? new Map<Item, boolean>();
      this.#literals.set(a, row.set(b, equal));
      this.#taken = before;
    } else this.#taken = Math.min(before, this.#taken);
    return equal;
  }

  #sameLayout({ beside: a }: Item, { beside: b }: Item): boolean {
    let same = this.#layouts.get(a);
    if (same === undefined) {
      same =
        a.length === b.length &&
        a.every((item, i) => {
          const twin = b[i];
          return twin !== undefined && this.#correlation.joined(item, twin) && item.start === twin.start && item.end === twin.end;
        });
      this.#layouts.set(a, same);
    }
    return same;
  }
}

/** What takes no room in the file is zero: of use where the other one, in another section, has it written out. */
function contents(item: Item, other: Item): Uint8Array {
  return isNobits(item) && !isNobits(other) ? new Uint8Array(sizeOf(item)) : comparedBytes(item);
}

function isNobits({ section }: Item): boolean {
  return section.type === SHT.NOBITS;
}

function globalName(to: Item | ElfSymbol): string | undefined {
  return (isItem(to) ? to.symbols : [to]).find(({ bind }) => bind !== STB.LOCAL)?.name;
}

function placeName({ place }: ElfSymbol): string {
  return isSection(place) ? place.name : place;
}

function firstOtherByte(a: Body, b: Body, size: (type: number) => number | undefined): number | undefined {
  if (Buffer.compare(a.bytes, b.bytes) === 0) return undefined;
  let next = 0;
  for (let at = 0; at < a.bytes.length; at++) {
    const ref = a.refs[next];
    if (ref !== undefined && at === ref.at) {
      // What stands in the field means nothing: the relocation has the addend.
      at += Math.max((size(ref.type) ?? 4) - 1, 0);
      next++;
      continue;
    }
    if (a.bytes[at] !== b.bytes[at]) return at;
  }
  return undefined;
}
