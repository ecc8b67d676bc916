/** What the passes know of the two objects, and what they decide: which functions changed, what is carried, what is left alone. */
import { type ElfSymbol, newSymbol, SHF } from "@suture/elf";
import type { SutureError } from "@suture/errors";
import type { Correlation } from "./correlation.ts";
import { fail } from "./errors.ts";
import { hasFtraceSite } from "./ftrace-sites.ts";
import { bytesOf, type Item, type ItemizedObject, isItem, type Ref } from "./items.ts";
import { isLiteral } from "./literals.ts";
import type { AcceptData, LiveVariable } from "./live-words.ts";
import { type Marks, sourceName } from "./marks.ts";
import { coldParent, stem } from "./names.ts";
import type { AcceptRedirect } from "./probes.ts";
import type { Build } from "./sections.ts";
import type { Side } from "./side.ts";
import type { Successor } from "./successors.ts";
import type { Entry } from "./tables.ts";

export interface Inputs {
  original: Side;
  patched: Side;
  correlation: Correlation;
  build: Build;
  marks: Marks;
}

export interface Change {
  why: string;
  /** Taken in because the caller of the differ asked for it, not because it differs. */
  forced: boolean;
  /** Names of the functions that lead from the one that differs up to this one, which is taken in because it calls them. */
  through: readonly string[];
}

/** An entry that ties code to a static key or a static call of the kernel. */
export interface KeyedEntry {
  /** "__jump_table" or ".static_call_sites". */
  table: string;
  /** The function that the code is in. */
  function: string;
  /** The symbol that the entry refers to, as the code names it. */
  key: string;
  /** The original object's own definition of it; undefined if it is another object's. */
  original: ElfSymbol | undefined;
}

export interface Named {
  name: string;
  why: string;
}

/** A string or constant, or a read-only object that is known by what it holds. */
export interface Literal {
  bytes: Uint8Array;
  /** Bytes of a character or constant. */
  entsize: number;
  align: number;
  strings: boolean;
  /** The original object's symbol of one that has a name. */
  symbol: ElfSymbol | undefined;
}

/** A symbol of the kernel and the distance from there: how what has no symbol is reached. */
export interface Anchor {
  name: string;
  sympos: number;
  /** Bytes. */
  offset: number;
}

/** Where the running kernel has the same; undefined if it is not known to have it, or it cannot be reached. */
export type Reach = (literal: Literal) => Anchor | undefined;

/** What the running kernel has of a name that the original object does not define: another object of vmlinux or of the module does. */
export interface Elsewhere {
  /** Of the object that defines it. */
  symbol: ElfSymbol;
  /** The patched object's function takes its place. Otherwise all use the kernel's. */
  replace: boolean;
}

/** What is taken in, of one attempt. */
class Taken {
  /** Read-only objects that differ: carried anew with all their users. */
  readonly recarried = new Set<Item>();
  /** All patched items that the new object holds. */
  readonly carried = new Set<Item>();
  /** Entries of carried code that are left out, since the code is right without them. */
  readonly dropped = new Set<Entry>();
  /** Branches of carried functions that read their key when they run: `dropped` entries, in order. */
  readonly readingKeys = new Map<Item, Entry[]>();
  /** Places of carried functions that the kernel would have filled in at boot. */
  readonly readingConstants = new Map<Item, { entry: Entry; ref: Ref }[]>();
  /** Keys of the kernel that entries of carried code refer to. */
  readonly keys: (KeyedEntry & { kept: boolean })[] = [];
}

export class Plan {
  readonly in: Inputs;
  /** Patched items without a twin that the running kernel has. */
  readonly elsewhere = new Map<Item, Elsewhere>();
  readonly #elsewhere: ReadonlyMap<string, Elsewhere>;
  /** Patched functions that replace the kernel's, and those that go with them since they cannot be redirected themselves. */
  readonly changed = new Map<Item, Change>();
  #taken = new Taken();
  readonly #variables = new Map<string, Item | ElfSymbol>();
  /** What differs but needs nothing in a running kernel. */
  readonly skipped: Named[] = [];
  /** Functions that differ and are not carried: they run at boot, when a module is loaded, or when it goes. */
  readonly leftOut = new Set<Item>();
  /** Functions that were asked for and cannot be taken in. */
  readonly notTaken: (Named & { code: string })[] = [];
  /** Functions that differ and are to be ignored. */
  readonly ignored = new Set<Item>();
  readonly notes: string[] = [];
  /** Functions that tables lead to, replaced by those that the fix has there. */
  readonly successors: readonly Successor[];
  /** Variables of the running kernel that are changed where they stand. */
  readonly live: LiveVariable[] = [];
  /** Undefined: functions are replaced, and nothing else of the kernel is changed. */
  readonly acceptData: AcceptData | undefined;
  /** Changed functions that a probe of the kernel redirects. */
  readonly redirects = new Set<Item>();
  readonly acceptRedirect: AcceptRedirect | undefined;
  readonly #wholes = new Map<Item, Item>();
  readonly #reach: Reach;
  readonly #anchors = new Map<Item, Anchor | undefined>();
  #named: ReadonlyMap<string, ElfSymbol> | undefined;

  constructor(
    inputs: Inputs,
    reach: Reach,
    elsewhere: ReadonlyMap<string, Elsewhere>,
    means: { successors: readonly Successor[]; acceptData: AcceptData | undefined; acceptRedirect?: AcceptRedirect | undefined },
  ) {
    this.in = inputs;
    this.successors = means.successors;
    this.acceptData = means.acceptData;
    this.acceptRedirect = means.acceptRedirect;
    this.#reach = reach;
    this.#elsewhere = elsewhere;
    for (const item of elsewhere.size === 0 ? [] : inputs.patched.itemized.items) {
      const found = inputs.correlation.original(item) === undefined ? elsewhere.get(item.symbols[0]?.name ?? "") : undefined;
      if (found !== undefined) this.elsewhere.set(item, found);
    }
    const byName = new Map<string, Item>();
    for (const item of inputs.patched.itemized.items) if (item.kind === "function") byName.set(item.name, item);
    for (const item of byName.values()) {
      const parent = byName.get(coldParent(item.name) ?? "");
      if (parent !== undefined) this.#wholes.set(item, parent);
    }
  }

  /** What one attempt to take in all that is needed has found; the next begins with nothing but read-only objects that differ. */
  startOver(recarried: ReadonlySet<Item>): void {
    this.#taken = new Taken();
    for (const item of recarried) this.#taken.recarried.add(item);
  }

  get recarried(): Taken["recarried"] {
    return this.#taken.recarried;
  }

  get carried(): Taken["carried"] {
    return this.#taken.carried;
  }

  get dropped(): Taken["dropped"] {
    return this.#taken.dropped;
  }

  get readingKeys(): Taken["readingKeys"] {
    return this.#taken.readingKeys;
  }

  get readingConstants(): Taken["readingConstants"] {
    return this.#taken.readingConstants;
  }

  get keys(): Taken["keys"] {
    return this.#taken.keys;
  }

  /** The function that a split-off part belongs to; others are whole themselves. */
  wholeOf(item: Item): Item {
    return this.#wholes.get(item) ?? item;
  }

  /** Split-off parts, with the functions that they belong to. */
  get parts(): ReadonlyMap<Item, Item> {
    return this.#wholes;
  }

  change(item: Item, change: Change): boolean {
    const whole = this.wholeOf(item);
    const known = this.changed.get(whole);
    if (known !== undefined && (!known.forced || change.forced)) return false;
    this.changed.set(whole, change);
    return known === undefined;
  }

  /** Whether the fix says that it is not part of it. */
  ignores(item: Item): boolean {
    const { ignoredSections, ignoredFunctions } = this.in.marks;
    if (ignoredSections.has(item.section.name)) return true;
    return (
      item.kind === "function" &&
      ignoredFunctions.size > 0 &&
      this.wholeOf(item).symbols.some(({ name }) => ignoredFunctions.has(sourceName(name)))
    );
  }

  /** Originals that the item replaces: its twin, and functions whose code became the same and was folded with it. */
  originalsOf(item: Item): Item[] {
    const twin = this.in.correlation.original(item);
    if (twin === undefined) return [];
    return [twin, ...(this.#folded.get(item) ?? [])];
  }

  readonly #folded = new Map<Item, Item[]>();

  fold(item: Item, original: Item): void {
    this.#folded.set(item, [...(this.#folded.get(item) ?? []), original]);
  }

  isElsewhere(name: string): boolean {
    return this.#elsewhere.has(name);
  }

  /** Whether it is a symbol of an object that defines something elsewhere. */
  isOther(symbol: ElfSymbol): boolean {
    return [...this.#elsewhere.values()].some((one) => one.symbol === symbol);
  }

  /** The kernel's symbol that an undefined one stands for. */
  definedElsewhere({ name }: ElfSymbol): ElfSymbol | undefined {
    return this.#elsewhere.get(name)?.symbol;
  }

  /** Whether calls of the running kernel's own copy can be redirected, or are by a probe. */
  redirectable(item: Item): boolean {
    return (
      this.redirects.has(item) ||
      this.elsewhere.get(item)?.replace === true ||
      hasFtraceSite(this.in.original, this.in.correlation.original(item))
    );
  }

  /** What the patched object's code means by a name. */
  variable(name: string): Item | ElfSymbol {
    let found = this.#variables.get(name);
    if (found === undefined) {
      const own = this.in.patched.itemized.items.find((item) => item.symbols.some((symbol) => symbol.name === name));
      found = own ?? newSymbol({ name, place: "undef" });
      this.#variables.set(name, found);
    }
    return found;
  }

  /** Whether the object has no symbol of that variable: it is read in place of a constant. */
  isConstantOnly(to: Item | ElfSymbol): boolean {
    return !isItem(to) && this.#variables.get(to.name) === to;
  }

  /** The entry that a row is, if it is one of the item's own. */
  ownRow(item: Item, row: Item): Entry | undefined {
    return this.in.patched.entries.get(item)?.find(({ section, start }) => section === row.section && start === row.start);
  }

  /** Where the kernel has what the literal holds. */
  anchorOf(literal: Item): Anchor | undefined {
    if (!this.#anchors.has(literal)) this.#anchors.set(literal, this.#findAnchor(literal));
    return this.#anchors.get(literal);
  }

  /** Tables without a name are the compiler's own: nobody keeps a pointer to them. */
  #findAnchor(item: Item): Anchor | undefined {
    const { section, kind } = item;
    if (kind === "anonymous" || item.refs.length > 0 || (kind === "element" && (section.flags & SHF.STRINGS) === 0)) return undefined;
    this.#named ??= namedLiterals(this.in.original.itemized);
    const symbol = kind === "element" ? undefined : this.#named.get(literalKey(item));
    if (kind !== "element" && symbol === undefined) return undefined;
    return this.#reach({
      bytes: bytesOf(item),
      entsize: section.entsize,
      align: section.align,
      strings: (section.flags & SHF.STRINGS) !== 0,
      symbol,
    });
  }

  refuse(code: Parameters<typeof fail>[0], why: string, item: Item, offset?: number): SutureError {
    return fail(code, why, { file: this.in.patched.itemized.elf.file, symbol: item.name, section: item.section.name, offset });
  }
}

function namedLiterals({ items }: ItemizedObject): ReadonlyMap<string, ElfSymbol> {
  const found = new Map<string, ElfSymbol>();
  for (const item of items) {
    const [symbol] = item.symbols;
    if (symbol !== undefined && isLiteral(item)) found.set(literalKey(item), symbol);
  }
  return found;
}

function literalKey(item: Item): string {
  return `${stem(item.name)} ${Buffer.from(bytesOf(item)).toString("latin1")}`;
}
