/**
 * Functions that take another's place where nothing but tables leads to it: the fix has a new function in a table, and the old one is gone. Who calls by the
 * table calls the old one as long as the table is as it was, so that the old one is replaced by the new one, as if the fix had changed its body: the table
 * stays, each task moves over by itself, and copies of the pointer lead to the new one as well.
 */
import { type Relocation, type Section, SHF, STB, STT } from "@suture/elf";
import type { Correlation } from "./correlation.ts";
import { hasFtraceSite } from "./ftrace-sites.ts";
import { type Item, isItem, sizeOf } from "./items.ts";
import type { AcceptData } from "./live-words.ts";
import type { Marks } from "./marks.ts";
import { coldParent, isClone } from "./names.ts";
import type { Side } from "./side.ts";

export interface Successor {
  original: Item;
  item: Item;
  /** The words that lead to it. */
  words: readonly Word[];
}

interface Word {
  /** Of the original. */
  variable: Item;
  at: number;
}

/** A word for people, and for who reads the manifest. */
export interface SuccessorRecord {
  /** The kernel's function. */
  function: string;
  becomes: string;
  variable: string;
  /** Bytes from its start. */
  at: number;
}

/** Joins each old function with the one in its place. Nothing is done where no function is both lost and new, which is the rule. */
export function pairSuccessors(
  original: Side,
  patched: Side,
  correlation: Correlation,
  { isElsewhere, accept, marks }: { isElsewhere: (name: string) => boolean; accept: AcceptData; marks: Marks },
): Successor[] {
  // What the fix itself does with its data, or leaves alone, is the author's.
  if (marks.callbacks.size + marks.ignoredFunctions.size + marks.ignoredSections.size > 0) return [];
  const isOpen = (item: Item): boolean => !item.symbols.some(({ name }) => isElsewhere(name));
  const gained = patched.itemized.items.filter((item) => isPlain(item) && correlation.original(item) === undefined && isOpen(item));
  if (gained.length === 0) return [];
  const lost = original.itemized.items.filter(
    (item) => isPlain(item) && correlation.patched(item) === undefined && isOpen(item) && hasFtraceSite(original, item),
  );
  if (lost.length === 0) return [];
  const references = new References(original);
  const found = lost.flatMap((old): Successor[] => {
    const words = references.wordsTo(old);
    if (words === undefined || words.some(({ variable }) => accept(variable.name))) return [];
    const [item, ...others] = new Set(words.map((word) => inPlace(word, correlation)));
    return item === undefined || others.length > 0 || !gained.includes(item) ? [] : [{ original: old, item, words }];
  });
  // One that takes the place of two is neither.
  const single = found.filter(({ item }) => found.filter((other) => other.item === item).length === 1);
  for (const { original: old, item } of single) correlation.join(old, item);
  return single;
}

/** A whole function of this file alone, as the compiler made it of the source. */
function isPlain(item: Item): boolean {
  const [symbol, ...others] = item.symbols;
  return (
    item.kind === "function" &&
    item.role === "text" &&
    symbol?.type === STT.FUNC &&
    symbol.bind === STB.LOCAL &&
    others.length + item.labels.length === 0 &&
    item.beside.length === 1 &&
    !isClone(symbol.name) &&
    coldParent(symbol.name) === undefined
  );
}

/** What the fix has where the word is; undefined if that is no function as a whole. */
function inPlace({ variable, at }: Word, correlation: Correlation): Item | undefined {
  const twin = correlation.patched(variable);
  if (twin === undefined || sizeOf(twin) !== sizeOf(variable) || twin.role !== variable.role) return undefined;
  const ref = twin.refs.find((one) => one.at === at);
  if (ref === undefined || ref.type !== twin.arch.relocations.pointer || ref.fault !== undefined || ref.weak !== undefined)
    return undefined;
  return isItem(ref.to) && ref.target === ref.to.entry ? ref.to : undefined;
}

/** All that relocations of an object say, by the section that they lead into. */
class References {
  readonly #side: Side;
  readonly #into = new Map<Section | string, { section: Section; relocation: Relocation }[]>();

  constructor(side: Side) {
    this.#side = side;
    for (const [section, relocations] of side.itemized.relocations)
      for (const relocation of relocations) {
        const place = relocation.symbol?.place;
        if (place === undefined) continue;
        const list = this.#into.get(place);
        if (list === undefined) this.#into.set(place, [{ section, relocation }]);
        else list.push({ section, relocation });
      }
  }

  /** The words of variables that lead to a function; undefined if there is none, or if anything else does, but for its own code. */
  wordsTo(item: Item): Word[] | undefined {
    const { items, arch, elf } = this.#side.itemized;
    // A list of functions for BPF programs names them in its symbols.
    if (elf.symbols.some(({ name }) => name.startsWith(`__BTF_ID__func__${item.name}__`))) return undefined;
    const own = [item, ...items.filter(({ kind, name }) => kind === "function" && coldParent(name) === item.name)];
    const words: Word[] = [];
    for (const { section, relocation } of this.#into.get(item.section) ?? []) {
      const { offset, type, symbol, addend } = relocation;
      if (this.#isOwn(own, section, offset)) continue;
      const variable = items.find((one) => one.section === section && offset >= one.start && offset < one.end);
      const target = (symbol?.value ?? 0) + addend;
      const isWord =
        variable?.kind === "object" &&
        (variable.role === "data" || variable.role === "rodata") &&
        variable.symbols.length > 0 &&
        type === arch.relocations.pointer &&
        target === item.start + item.entry;
      if (!isWord) return undefined;
      words.push({ variable, at: offset - variable.start });
    }
    return words.length === 0 ? undefined : words;
  }

  /** Whether the place is in a function's own code, or in what the tables say of that; or means nothing in a running kernel. */
  #isOwn(own: readonly Item[], section: Section, offset: number): boolean {
    const { arch } = this.#side.itemized;
    if ((section.flags & SHF.ALLOC) === 0 || arch.tables.isBuildOnly(section.name)) return true;
    if (arch.tables.sections.ignored.includes(section.name)) return true;
    return own.some(
      (item) =>
        (item.section === section && offset >= item.start && offset < item.end) ||
        (this.#side.entries.get(item) ?? []).some(
          ({ section: table, start, size, replacement }) =>
            (table === section && offset >= start && offset < start + size) ||
            (replacement !== undefined &&
              replacement.pool.section === section &&
              offset >= replacement.pool.start + replacement.from &&
              offset < replacement.pool.start + replacement.from + replacement.size),
        ),
    );
  }
}

/** Why another function than the one of its name is replaced, before what differs. */
export function reasonOf(successors: readonly Successor[], item: Item): string {
  const [word] = successors.find((one) => one.item === item)?.words ?? [];
  return word === undefined ? "" : `${item.name} is in its place in ${word.variable.name}: `;
}

/** @param changed what replaces the kernel's */
export function recordsOfSuccessors(successors: readonly Successor[], changed: ReadonlyMap<Item, unknown>): SuccessorRecord[] {
  return successors.flatMap(({ original, item, words }) =>
    (changed.has(item) ? words : []).map(({ variable, at }) => ({
      function: original.name,
      becomes: item.name,
      variable: variable.name,
      at: at - variable.entry,
    })),
  );
}
