/** The symbols of an image, in kallsyms order. Kept in typed arrays; a symbol becomes an object when it is asked for, and stays the same one. */
import type { AddressSpace, KernelAddress } from "./address.ts";
import { fail } from "./errors.ts";
import { findName, type NameIndex } from "./name-index.ts";

export interface KernelSymbol {
  name: string;
  /** A per-cpu symbol's is its offset into the per-cpu area. */
  address: KernelAddress;
  /** The letter of kallsyms and nm: T and t text, D d R r B b data, A a absolute (and per-cpu), W w V v weak. */
  type: string;
}

/** The table as it is decoded and cached. Symbol i's name is `names[nameStarts[i] .. nameStarts[i + 1]]`. */
export interface SymbolArrays {
  /** Ranks of the addresses (see AddressSpace), ascending. */
  ranks: Uint32Array;
  types: Uint8Array;
  names: Uint8Array;
  nameStarts: Uint32Array;
  nameIndex: NameIndex;
}

export class SymbolTable {
  readonly length: number;
  readonly space: AddressSpace;
  readonly #ranks: Uint32Array;
  readonly #types: Uint8Array;
  readonly #names: Buffer;
  readonly #nameStarts: Uint32Array;
  readonly #made = new Map<number, KernelSymbol>();
  readonly #nameIndex: NameIndex;
  #all: readonly KernelSymbol[] | undefined;

  constructor(arrays: SymbolArrays, space: AddressSpace) {
    this.length = arrays.ranks.length;
    this.space = space;
    this.#ranks = arrays.ranks;
    this.#types = arrays.types;
    this.#names = Buffer.from(arrays.names.buffer, arrays.names.byteOffset, arrays.names.byteLength);
    this.#nameStarts = arrays.nameStarts;
    this.#nameIndex = arrays.nameIndex;
  }

  /** Kallsyms order: by the ranks of their addresses (per-cpu symbols first), equal addresses in table order. Makes an object for every symbol. */
  get all(): readonly KernelSymbol[] {
    if (this.#all === undefined) this.#all = Array.from({ length: this.length }, (_, i) => this.#symbol(i));
    return this.#all;
  }

  /** In kallsyms order. */
  named(name: string): readonly KernelSymbol[] {
    return findName(this.#nameIndex, this.#names, this.#nameStarts, name).map((i) => this.#symbol(i));
  }

  /** All with exactly this address. */
  at(address: KernelAddress): readonly KernelSymbol[] {
    const found: KernelSymbol[] = [];
    if (!this.space.holds(address)) return found;
    const rank = this.space.rank(address);
    for (let i = this.#firstAbove(rank) - 1; i >= 0 && this.#ranks[i] === rank; i--) found.push(this.#symbol(i));
    return found.reverse();
  }

  /** The last symbol at or before the address. */
  containing(address: KernelAddress): KernelSymbol | undefined {
    if (!this.space.holds(address)) return undefined;
    const i = this.#firstAbove(this.space.rank(address)) - 1;
    return i < 0 ? undefined : this.#symbol(i);
  }

  /** The first address above the given one at which there is a symbol. */
  next(address: KernelAddress): KernelAddress | undefined {
    if (!this.space.holds(address)) return undefined;
    const found = this.#ranks[this.#firstAbove(this.space.rank(address))];
    return found === undefined ? undefined : this.space.ranked(found);
  }

  /** What a livepatch gives to name exactly this symbol: 0 if its name is unique, else its rank, from 1, among all of that name. */
  sympos(symbol: KernelSymbol): number {
    const same = this.named(symbol.name);
    const rank = same.indexOf(symbol);
    if (rank < 0) throw fail("KERNEL_FOREIGN_SYMBOL", `at ${this.space.hex(symbol.address)} is not of this image`, { symbol: symbol.name });
    return same.length === 1 ? 0 : rank + 1;
  }

  /** Index of the first symbol whose address is ranked above `rank`. */
  #firstAbove(rank: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranks[middle] as number) <= rank) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #symbol(i: number): KernelSymbol {
    const made = this.#made.get(i);
    if (made !== undefined) return made;
    const symbol: KernelSymbol = {
      name: this.#names.toString("latin1", this.#nameStarts[i], this.#nameStarts[i + 1]),
      address: this.space.ranked(this.#ranks[i] as number),
      type: String.fromCharCode(this.#types[i] as number),
    };
    this.#made.set(i, symbol);
    return symbol;
  }
}
