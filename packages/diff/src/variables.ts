/** The variables of one object, for comparisons between objects. */
import { type ElfObject, type ElfSymbol, STB } from "@suture/elf";
import { type Home, homeOf } from "./homes.ts";
import { itemize } from "./itemize.ts";
import { bytesOf, type Item, isItem, sizeOf } from "./items.ts";
import { isLiteral } from "./literals.ts";
import { coldParent, isBookkeeping, stem } from "./names.ts";
import { Referrers } from "./referrers.ts";
import type { Build } from "./sections.ts";

export interface Variable {
  symbol: ElfSymbol;
  /** The name without numbers that the compiler gave. */
  name: string;
  home: Home;
  section: string;
  /** Bytes. */
  size: number;
  /** Equal for equal contents: the bytes, and the names of what is referred to. */
  contents: string;
  /** Functions that refer to it, without numbers. */
  referrers: ReadonlySet<string>;
}

/** Those that have state or an identity: no strings, names of functions, or bookkeeping of macros. */
export function variablesOf(elf: ElfObject, build: Build): Variable[] {
  const whole = itemize(elf, build);
  const referrers = new Referrers(whole);
  return whole.items.flatMap((item) => {
    const home = homeOf(item);
    const [symbol] = item.symbols;
    if (item.kind !== "object" || home === undefined || symbol === undefined || isLiteral(item) || isBookkeeping(item.name)) return [];
    const by = referrers.of(item).filter((use) => use.by.kind === "function");
    return [
      {
        symbol,
        name: stem(symbol.name),
        home,
        section: item.section.name,
        size: sizeOf(item),
        contents: contentsOf(item),
        referrers: new Set(by.map((use) => stem(coldParent(use.by.name) ?? use.by.name))),
      },
    ];
  });
}

function contentsOf(item: Item): string {
  const bytes = bytesOf(item);
  // Zeros are the same whether a file holds them or not.
  const plain = bytes.every((byte) => byte === 0) ? "" : Buffer.from(bytes).toString("latin1");
  const refs = item.refs.map(({ at, addend, to }) => {
    if (!isItem(to)) return `${at} ${to.name}+${addend}`;
    const isGlobal = to.symbols.some(({ bind }) => bind !== STB.LOCAL);
    return `${at} ${isLiteral(to) ? contentsOf(to) : isGlobal ? to.name : stem(to.name)}+${addend}`;
  });
  return JSON.stringify([plain, refs]);
}
