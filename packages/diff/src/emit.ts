/** Writes what is carried as a new object: a section for each item, its entries of the special sections, and symbols for what the kernel has. */
import type { SpecialTable } from "@suture/arch";
import {
  type ElfObject,
  type ElfSymbol,
  newObject,
  newRelocations,
  newSymbol,
  type Relocation,
  Section,
  SHF,
  SHT,
  STB,
  STT,
  viewOf,
} from "@suture/elf";
import { destinationOf } from "./destinations.ts";
import { bytesOf, type Item, isItem, type Ref, sizeOf } from "./items.ts";
import { isLiteral } from "./literals.ts";
import { holds, liveTable, oldTarget, stateOf } from "./live.ts";
import { empties } from "./live-words.ts";
import type { Anchor, Plan } from "./plan.ts";
import { redirected, redirectState, redirectTable } from "./redirects.ts";
import { type Rewritten, readAtRunTime, readConstants, unwindOf } from "./run-time-keys.ts";
import { tracepointHome } from "./sections.ts";
import type { Entry } from "./tables.ts";

/** A symbol of the new object that the running kernel has. */
export interface External {
  /** Undefined in the new object. */
  symbol: ElfSymbol;
  /** The symbol of the original object, or of another one by `elsewhere`, that it stands for; undefined if neither defines it. */
  original: ElfSymbol | undefined;
  /** The symbol of the patched object that is its twin. */
  patched?: ElfSymbol | undefined;
  /** If what it stands for has no symbol, and is found by another one. */
  anchor?: Anchor;
  /** Bytes that the patched code may expect it to be aligned to, and the original could not. */
  align?: number;
  /** Whether it is only known by the name of a section: that of a variable whose value the kernel writes into code at boot. */
  constant?: boolean;
}

export interface Emitted {
  object: ElfObject;
  externals: External[];
  /** The symbol of each carried function and variable. */
  symbols: ReadonlyMap<Item, ElfSymbol>;
}

export function emit(plan: Plan): Emitted {
  return new Emitter(plan).run();
}

/** Members of struct suture_live_word, and its flags. */
const LIVE = {
  where: 0,
  old: 8,
  now: 16,
  state: 24,
  name: 32,
  bytes: 48,
  flags: 52,
  size: 64,
  HOLDS: 1,
  READ_ONLY: 2,
  EMPTIES: 4,
} as const;

/** Members of struct suture_redirect. */
const REDIRECT = { where: 0, now: 8, state: 16, name: 24, size: 56 } as const;

/** Relocations are written against a section's items before its RELA section is made. */
interface Out {
  section: Section;
  relocations: Relocation[];
}

interface Kept {
  owner: Item;
  entry: Entry;
}

/** A piece of replacement code, where it was and where it went. */
interface Replaced {
  pool: Item;
  from: number;
  size: number;
  symbol: ElfSymbol;
  offset: number;
}

class Emitter {
  readonly #plan: Plan;
  readonly #object: ElfObject;
  readonly #outs: Out[] = [];
  readonly #symbols = new Map<Item, ElfSymbol>();
  /** Functions that are not carried byte for byte. */
  readonly #rewritten = new Map<Item, Rewritten>();
  /** Where an element of a pool went. */
  readonly #places = new Map<Item, { symbol: ElfSymbol; offset: number }>();
  readonly #externals = new Map<Item | ElfSymbol, External>();
  /** References to entries of tables, until it is known where those went. */
  readonly #toRows: { out: Out; offset: number; ref: Ref; row: Item; from: Item }[] = [];
  readonly #sectionSymbols = new Map<Section, ElfSymbol>();

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#object = newObject(plan.in.patched.itemized.elf.file, plan.in.patched.itemized.elf);
  }

  run(): Emitted {
    const { itemized } = this.#plan.in.patched;
    const carried = (item: Item): boolean => this.#plan.carried.has(item);
    this.#pools(itemized.elements().filter(carried));
    const whole = itemized.items.filter(carried);
    for (const [item, entries] of this.#plan.readingKeys) this.#rewritten.set(item, readAtRunTime(item, itemized.refsOf(item), entries));
    // Static keys of modules and constants of vmlinux are never in one object.
    for (const [item, constants] of this.#plan.readingConstants)
      this.#rewritten.set(item, readConstants(item, itemized.refsOf(item), constants));
    const outs = whole.map((item) => this.#place(item));
    whole.forEach((item, i) => {
      const out = outs[i];
      if (out !== undefined) this.#relocate(item, out, 0, this.#rewritten.get(item)?.refs ?? itemized.refsOf(item), false);
    });
    this.#tables(whole);
    this.#live();
    this.#redirects();
    this.#finish();
    return { object: this.#object, externals: [...this.#externals.values()], symbols: this.#symbols };
  }

  /** struct suture_live_word of packages/livepatch/c/live.c, one for each word. */
  #live(): void {
    const plan = this.#plan;
    const words = plan.live.flatMap((variable) => variable.words.map((word) => ({ variable, word })));
    if (words.length === 0) return;
    const data = new Uint8Array(words.length * LIVE.size);
    const out = this.#out(new Section({ name: ".data.suture_live", type: SHT.PROGBITS, flags: SHF.ALLOC | SHF.WRITE, align: 8, data }));
    const view = viewOf(data, this.#object.format.order);
    const { pointer } = plan.in.patched.itemized.arch.relocations;
    const texts = this.#out(new Section({ name: ".rodata.suture_live", type: SHT.PROGBITS, flags: SHF.ALLOC }));
    let text = "";
    words.forEach(({ variable, word }, i) => {
      const { original, item, readOnly } = variable;
      const start = i * LIVE.size;
      const point = (field: number, symbol: ElfSymbol, addend: number): void => {
        out.relocations.push({ offset: start + field, type: pointer, symbol, addend });
      };
      point(LIVE.where, this.#external(original, item), word.at - original.entry);
      if ("ref" in word.old) {
        const { ref } = word.old;
        const to = oldTarget(plan, ref);
        const twin = isItem(to) ? (plan.in.correlation.patched(to) ?? to) : to;
        point(LIVE.old, this.#external(to, twin), isItem(to) ? ref.addend - to.entry : ref.addend);
      } else view.setU64(start + LIVE.old, word.old.number);
      if ("ref" in word.now) {
        const { symbol, addend } = this.#reach(word.now.ref, item, false);
        point(LIVE.now, symbol, addend);
      } else view.setU64(start + LIVE.now, word.now.number);
      view.setU64(start + LIVE.state, BigInt(stateOf(plan, variable, word)));
      point(LIVE.name, this.#sectionSymbol(texts.section), text.length);
      text += `${original.name}+0x${word.at.toString(16)}\0`;
      view.setU32(start + LIVE.bytes, word.size);
      const flags = [holds(plan, item, word) ? LIVE.HOLDS : 0, readOnly ? LIVE.READ_ONLY : 0, empties(word) ? LIVE.EMPTIES : 0];
      view.setU32(
        start + LIVE.flags,
        flags.reduce((all, flag) => all | flag, 0),
      );
    });
    texts.section.data = Buffer.from(text, "latin1");
    this.#object.symbols.push(
      newSymbol({ name: liveTable(plan), place: out.section, size: data.length, type: STT.OBJECT, bind: STB.GLOBAL }),
    );
  }

  /** struct suture_redirect of packages/livepatch/c/redirect.c, one for each function. */
  #redirects(): void {
    const plan = this.#plan;
    const all = redirected(plan);
    if (all.length === 0) return;
    const data = new Uint8Array(all.length * REDIRECT.size);
    const out = this.#out(new Section({ name: ".data.suture_redirect", type: SHT.PROGBITS, flags: SHF.ALLOC | SHF.WRITE, align: 8, data }));
    const view = viewOf(data, this.#object.format.order);
    const { pointer } = plan.in.patched.itemized.arch.relocations;
    const texts = this.#out(new Section({ name: ".rodata.suture_redirect", type: SHT.PROGBITS, flags: SHF.ALLOC }));
    let text = "";
    all.forEach(({ item, original }, i) => {
      const start = i * REDIRECT.size;
      const point = (field: number, symbol: ElfSymbol | undefined, addend = 0): void => {
        if (symbol === undefined) throw new Error(`${item.name} is redirected but not carried`);
        out.relocations.push({ offset: start + field, type: pointer, symbol, addend });
      };
      point(REDIRECT.where, this.#external(original, item));
      point(REDIRECT.now, this.#symbols.get(item));
      view.setU64(start + REDIRECT.state, BigInt(redirectState(plan, original.name)));
      point(REDIRECT.name, this.#sectionSymbol(texts.section), text.length);
      text += `${original.name}\0`;
    });
    texts.section.data = Buffer.from(text, "latin1");
    this.#object.symbols.push(
      newSymbol({ name: redirectTable(plan), place: out.section, size: data.length, type: STT.OBJECT, bind: STB.GLOBAL }),
    );
  }

  #out(section: Section): Out {
    const out = { section, relocations: [] };
    this.#outs.push(out);
    return out;
  }

  #sectionSymbol(section: Section): ElfSymbol {
    let symbol = this.#sectionSymbols.get(section);
    if (symbol === undefined) {
      symbol = newSymbol({ name: "", place: section, bind: STB.LOCAL, type: STT.SECTION });
      this.#sectionSymbols.set(section, symbol);
    }
    return symbol;
  }

  /** Elements of pools: equal ones once, in sections that the linker does not merge, since places in them are referred to by offset. */
  #pools(elements: Item[]): void {
    const pools = new Map<string, { section: Section; parts: Uint8Array[]; size: number; known: Map<string, number> }>();
    for (const item of elements) {
      const { flags, entsize, align } = item.section;
      const strings = (flags & SHF.STRINGS) !== 0;
      const name = strings ? `.rodata.str${entsize}.${align}` : `.rodata.cst${entsize}`;
      let pool = pools.get(name);
      if (pool === undefined) {
        const section = new Section({ name, type: SHT.PROGBITS, flags: SHF.ALLOC, align });
        pool = { section, parts: [], size: 0, known: new Map() };
        pools.set(name, pool);
        this.#out(section);
      }
      const bytes = bytesOf(item);
      const key = Buffer.from(bytes).toString("latin1");
      let offset = pool.known.get(key);
      if (offset === undefined) {
        const padding = -pool.size & (Math.max(align, 1) - 1);
        offset = pool.size + padding;
        pool.parts.push(new Uint8Array(padding), bytes);
        pool.size = offset + bytes.length;
        pool.known.set(key, offset);
      }
      this.#places.set(item, { symbol: this.#sectionSymbol(pool.section), offset });
    }
    for (const pool of pools.values()) pool.section.data = Buffer.concat(pool.parts);
  }

  #place(item: Item): Out {
    const from = item.section;
    const data = this.#rewritten.get(item)?.bytes ?? Uint8Array.from(bytesOf(item));
    const size = from.type === SHT.NOBITS ? sizeOf(item) : data.length;
    const section = new Section({
      name: sectionName(item),
      type: from.type,
      flags: from.flags & ~(SHF.GROUP | SHF.LINK_ORDER | SHF.MERGE | SHF.STRINGS),
      align: item.kind === "function" && item.start > 0 ? Math.max(from.align, 16) : alignment(item),
      data,
      nobitsSize: from.type === SHT.NOBITS ? size : 0,
    });
    const [main] = item.symbols;
    if (main === undefined) this.#places.set(item, { symbol: this.#sectionSymbol(section), offset: 0 });
    else {
      const isNew = this.#plan.in.correlation.original(item) === undefined;
      const symbol = newSymbol({
        name: main.name,
        place: section,
        value: item.entry,
        size: size - item.entry,
        type: main.type,
        // What is new may be used by other objects of the patch; what has an original is known by that.
        bind: isNew && !this.#plan.elsewhere.has(item) && main.bind !== STB.LOCAL && !isLiteral(item) ? STB.GLOBAL : STB.LOCAL,
        other: main.other,
      });
      this.#symbols.set(item, symbol);
      this.#object.symbols.push(symbol);
    }
    return this.#out(section);
  }

  /** Where a reference goes in the new object, as symbol and addend. */
  #reach(ref: Ref, from: Item, inTable: boolean): { symbol: ElfSymbol; addend: number } {
    const to = destinationOf(this.#plan, ref, from, inTable);
    // Also where a weak symbol stands for it, an item may have padding before the place that its symbol names.
    if ("literal" in to) return { symbol: this.#literal(to.literal, to.anchor), addend: ref.addend };
    if ("kernel" in to)
      return { symbol: this.#external(to.kernel, ref.to), addend: isItem(ref.to) ? ref.addend - ref.to.entry : ref.addend };
    const place = this.#places.get(to.carried);
    if (place !== undefined) return { symbol: place.symbol, addend: ref.addend + place.offset };
    const symbol = this.#symbols.get(to.carried);
    if (symbol === undefined) throw new Error(`${to.carried.name} is referred to but not carried`);
    return { symbol, addend: ref.addend - to.carried.entry };
  }

  /** @param patched what the reference names in the patched object */
  #external(to: Item | ElfSymbol, patched: Item | ElfSymbol): ElfSymbol {
    const known = this.#externals.get(to);
    if (known !== undefined) return known.symbol;
    const original = isItem(to) ? to.symbols[0] : this.#plan.isOther(to) ? to : undefined;
    // A weak symbol that the kernel may lack stays weak; one that this object defines is there.
    const weak = !isItem(to) && to.place === "undef" && to.bind === STB.WEAK;
    const symbol = newSymbol({ name: original?.name ?? to.name, place: "undef", bind: weak ? STB.WEAK : STB.GLOBAL });
    const align = isItem(to) && isItem(patched) && isAlone(to) && isAlone(patched) ? patched.section.align : 0;
    const twin = isItem(patched) ? patched.symbols[0] : undefined;
    this.#externals.set(to, {
      symbol,
      original,
      patched: twin,
      ...(isItem(to) && align > to.section.align ? { align } : {}),
      ...(this.#plan.isConstantOnly(to) ? { constant: true } : {}),
    });
    return symbol;
  }

  #literal(item: Item, anchor: Anchor): ElfSymbol {
    const known = this.#externals.get(item);
    if (known !== undefined) return known.symbol;
    const symbol = newSymbol({ name: item.name, place: "undef" });
    this.#externals.set(item, { symbol, original: undefined, anchor });
    return symbol;
  }

  #relocate(from: Item, out: Out, base: number, refs: readonly Ref[], inTable: boolean): void {
    for (const ref of refs) {
      const offset = base + ref.at;
      if (isItem(ref.to) && ref.to.kind === "row") {
        destinationOf(this.#plan, ref, from, inTable);
        this.#toRows.push({ out, offset, ref, row: ref.to, from });
        continue;
      }
      const { symbol, addend } = this.#reach(ref, from, inTable);
      // The assembler resolved this one in place; now it is a relocation like the others.
      if (ref.implied) out.section.data.fill(0, offset, offset + (from.arch.relocations.kind(ref.type)?.size ?? 0));
      out.relocations.push({ offset, type: ref.type, symbol, addend });
    }
  }

  #tables(owners: Item[]): void {
    const lists = new Map<SpecialTable, Kept[]>();
    for (const owner of owners)
      for (const entry of this.#entries(owner)) {
        const list = lists.get(entry.table);
        if (list === undefined) lists.set(entry.table, [{ owner, entry }]);
        else list.push({ owner, entry });
      }
    // The replacements' places must be known when tables of places are written.
    const ordered = [...this.#plan.in.patched.itemized.arch.tables.carried].sort(
      (a, b) => Number(b.replacement !== undefined) - Number(a.replacement !== undefined),
    );
    const replaced: Replaced[] = [];
    const rows = new Map<Entry, { symbol: ElfSymbol; offset: number }>();
    for (const table of ordered) {
      const list = lists.get(table) ?? [];
      const inside = this.#insideReplacements(table, replaced);
      if (list.length + inside.length > 0) this.#table(list, inside, replaced, rows);
    }
    for (const { out, offset, ref, row, from } of this.#toRows) {
      const entry = this.#plan.ownRow(from, row);
      const place = entry === undefined ? undefined : rows.get(entry);
      if (place === undefined) throw new Error(`${from.name} refers to ${row.name}, which is not carried`);
      out.relocations.push({ offset, type: ref.type, symbol: place.symbol, addend: ref.addend + place.offset });
    }
  }

  /** The entries of an item. One cut out of a section of several may lack the unwind entry that it starts with: the one before holds. */
  #entries(owner: Item): Entry[] {
    const entries = this.#ownEntries(owner);
    const rewritten = this.#rewritten.get(owner);
    return rewritten === undefined ? entries : unwindOf(entries, sizeOf(owner), rewritten);
  }

  #ownEntries(owner: Item): Entry[] {
    const { entries } = this.#plan.in.patched;
    const own = (entries.get(owner) ?? []).filter((e) => !this.#plan.dropped.has(e));
    if (owner.start === 0) return own;
    const unwind = own.filter((e) => e.beside !== undefined);
    if (unwind.length === 0 || unwind[0]?.at === 0) return own;
    let last: Entry | undefined;
    for (const item of owner.beside) {
      if (item.start >= owner.start) break;
      for (const entry of entries.get(item) ?? []) if (entry.beside !== undefined) last = entry;
    }
    if (last === undefined) return own;
    return [{ ...last, owner, at: 0, refs: last.refs.map((r) => ({ ...r, to: owner, addend: 0, target: 0 })) }, ...own];
  }

  /** Entries that point into carried replacements, with where those went. */
  #insideReplacements(table: SpecialTable, replaced: readonly Replaced[]): { entry: Entry; symbol: ElfSymbol; offset: number }[] {
    if (replaced.length === 0) return [];
    const byStart = new Map<Item, Replaced[]>();
    for (const one of replaced) {
      const list = byStart.get(one.pool);
      if (list === undefined) byStart.set(one.pool, [one]);
      else list.push(one);
    }
    const found: { entry: Entry; symbol: ElfSymbol; offset: number }[] = [];
    for (const [pool, list] of byStart) {
      list.sort((a, b) => a.from - b.from);
      let i = 0;
      for (const entry of this.#plan.in.patched.entries.get(pool) ?? []) {
        // Unwinding through a replacement is done where it replaces.
        if (entry.table !== table || entry.beside !== undefined || entry.refs.length !== 1) continue;
        while (i < list.length && entry.at >= (list[i]?.from ?? 0) + (list[i]?.size ?? 0)) i++;
        const part = list[i];
        if (part !== undefined && entry.at >= part.from)
          found.push({ entry, symbol: part.symbol, offset: part.offset + entry.at - part.from });
      }
    }
    return found;
  }

  #table(
    list: readonly Kept[],
    inside: readonly { entry: Entry; symbol: ElfSymbol; offset: number }[],
    replaced: Replaced[],
    rows: Map<Entry, { symbol: ElfSymbol; offset: number }>,
  ): void {
    const entries = [...list.map((kept) => kept.entry), ...inside.map((i) => i.entry)];
    const [first] = entries;
    if (first === undefined) return;
    const out = this.#out(copyOf(first.section, Buffer.concat(entries.map((entry) => entry.bytes))));
    if (first.beside !== undefined)
      this.#out(copyOf(first.beside.section, Buffer.concat(entries.map((entry) => entry.beside?.bytes ?? new Uint8Array(0)))));
    const replacements = this.#replacements(entries);
    let at = 0;
    let replacementAt = 0;
    for (const { owner, entry } of list) {
      if (first.table.handedOn) rows.set(entry, { symbol: this.#sectionSymbol(out.section), offset: at });
      this.#relocate(owner, out, at, entry.refs, true);
      const { replacement } = entry;
      if (replacement !== undefined && replacements !== undefined) {
        const symbol = this.#sectionSymbol(replacements.section);
        this.#relocate(owner, replacements, replacementAt, replacement.refs, true);
        out.relocations.push({ offset: at + replacement.field, type: owner.arch.relocations.distance, symbol, addend: replacementAt });
        replaced.push({ pool: replacement.pool, from: replacement.from, size: replacement.size, symbol, offset: replacementAt });
        replacementAt += replacement.size;
      }
      at += entry.size;
    }
    for (const { entry, symbol, offset } of inside) {
      for (const ref of entry.refs) out.relocations.push({ offset: at + ref.at, type: ref.type, symbol, addend: offset });
      at += entry.size;
    }
  }

  #replacements(entries: readonly Entry[]): Out | undefined {
    const parts = entries.flatMap((e) => (e.replacement === undefined ? [] : [e.replacement]));
    const [first] = parts;
    return first === undefined ? undefined : this.#out(copyOf(first.pool.section, Buffer.concat(parts.map((p) => p.bytes))));
  }

  #finish(): void {
    const { sections, symbols } = this.#object;
    const all: Section[] = [];
    for (const { section, relocations } of this.#outs) {
      all.push(section);
      if (relocations.length === 0) continue;
      relocations.sort((a, b) => a.offset - b.offset);
      all.push(newRelocations(this.#object, section, relocations));
    }
    sections.unshift(...all);
    symbols.unshift(...this.#sectionSymbols.values());
    symbols.push(...[...this.#externals.values()].map((e) => e.symbol));
  }
}

/** Only of a variable with a section of its own the alignment is known. */
function isAlone({ kind, beside }: Item): boolean {
  return kind === "object" && beside.length === 1;
}

function copyOf(from: Section, data: Uint8Array): Section {
  return new Section({
    name: from.name,
    type: from.type,
    flags: from.flags & ~(SHF.GROUP | SHF.LINK_ORDER),
    align: from.align,
    entsize: from.entsize,
    data: Uint8Array.from(data),
  });
}

/** -ffunction-sections names stay; what shared a section gets one of its own. */
function sectionName(item: Item): string {
  const { name } = item.section;
  // The one section that the module loader makes copies of, for each processor.
  if (item.role === "percpu") return ".data..percpu";
  const home = tracepointHome(item.section);
  if (home !== undefined) return `${home}.${item.name}`;
  if (item.kind === "anonymous" || (item.start === 0 && item.end === item.section.size)) return name;
  if (item.kind === "function") return `.text.${item.name}`;
  if (item.role === "dyndbg" || item.role === "once") return name;
  return `${name}.${item.name}`;
}

/** Objects of a shared section keep the alignment that their place in it had. */
function alignment(item: Item): number {
  let { align } = item.section;
  while (align > 1 && item.start % align !== 0) align /= 2;
  return align;
}
