/**
 * What the patch must carry: the changed functions, and everything that they need and the running kernel does not have. What the kernel has
 * is referred to there, never copied.
 */
import type { ElfSymbol } from "@suture/elf";
import { Comparer } from "./compare.ts";
import { fail } from "./errors.ts";
import { type Cut, type Item, isItem, type Ref } from "./items.ts";
import { isLiteral } from "./literals.ts";
import { coldParent, isBookkeeping } from "./names.ts";
import type { Pairs } from "./pair.ts";
import type { Entry } from "./tables.ts";
import { fentryTables } from "./x86-64.ts";

export interface Inputs {
  original: Cut;
  patched: Cut;
  pairs: Pairs;
  originalEntries: ReadonlyMap<Item, Entry[]>;
  patchedEntries: ReadonlyMap<Item, Entry[]>;
}

export interface Selection {
  /** Functions that differ, with why, in the order of the patched object. Those without an ftrace entry are carried, not redirected. */
  changed: Map<Item, string>;
  /** Everything that is carried: patched items. */
  carried: Set<Item>;
  /** What differs but needs nothing: code of the boot phase, exports and other things that are read once. */
  skipped: { name: string; why: string }[];
}

/** Where a reference of carried code goes: to a carried item, or to what the kernel has (an original item or an undefined symbol). */
export type Destination = { carried: Item } | { kernel: Item | ElfSymbol };

export class Selector {
  readonly #in: Inputs;
  readonly #compare: Comparer;
  readonly #users = new Map<Item, Item[]>();
  readonly #cold = new Map<Item, Item>();
  /** Changed, and why; a superset of what is redirected. */
  readonly changed = new Map<Item, string>();
  readonly carried = new Set<Item>();
  readonly skipped: { name: string; why: string }[] = [];
  /** Read-only objects that changed: carried anew with all their users. */
  readonly #fresh = new Set<Item>();

  constructor(inputs: Inputs) {
    this.#in = inputs;
    this.#compare = new Comparer(inputs.original, inputs.patched, inputs.pairs);
    for (const item of inputs.patched.items)
      for (const ref of item.refs) {
        if (!isItem(ref.to)) continue;
        const list = this.#users.get(ref.to);
        if (list === undefined) this.#users.set(ref.to, [item]);
        else if (list[list.length - 1] !== item) list.push(item);
      }
    const byName = new Map(inputs.patched.items.filter((i) => i.kind === "function").map((i) => [i.name, i]));
    for (const item of byName.values()) {
      const parent = byName.get(coldParent(item.name) ?? "");
      if (parent !== undefined) this.#cold.set(item, parent);
    }
  }

  /** The function that a split-off part belongs to. */
  wholeOf(item: Item): Item {
    return this.#cold.get(item) ?? item;
  }

  run(force: (item: Item) => boolean): Selection {
    this.#findChangedFunctions(force);
    this.#findChangedData();
    this.#takeCallersOfUnpatchable();
    this.#close();
    this.#checkFresh();
    return { changed: this.changed, carried: this.carried, skipped: this.skipped };
  }

  #change(item: Item, why: string): void {
    const whole = this.wholeOf(item);
    if (!this.changed.has(whole)) this.changed.set(whole, why);
  }

  #findChangedFunctions(force: (item: Item) => boolean): void {
    const { patched, pairs } = this.#in;
    for (const item of patched.items) {
      if (item.kind !== "function") continue;
      const original = pairs.original(item);
      if (original === undefined) continue;
      const why = this.#functionDifference(original, item) ?? (item.role === "text" && force(item) ? "asked for" : undefined);
      if (why === undefined) continue;
      if (item.role === "text") this.#change(item, why);
      else this.skipped.push({ name: item.name, why: "runs only at boot, or never" });
    }
  }

  #functionDifference(original: Item, patched: Item): string | undefined {
    const difference = this.#compare.items(original, patched);
    if (difference !== undefined) return difference;
    const a = (this.#in.originalEntries.get(original) ?? []).filter((e) => e.table.compared);
    const b = (this.#in.patchedEntries.get(patched) ?? []).filter((e) => e.table.compared);
    if (a.length !== b.length) return `${a.length} → ${b.length} entries of special sections`;
    for (let i = 0; i < a.length; i++) {
      const before = a[i];
      const after = b[i];
      if (before === undefined || after === undefined || before.table !== after.table) return "entries of special sections";
      if (this.#compare.difference({ ...before, bytes: before.compared }, { ...after, bytes: after.compared }) !== undefined) return `entry of ${after.section.name}`;
      const { replacement: x } = before;
      const { replacement: y } = after;
      if ((x === undefined) !== (y === undefined)) return "an alternative";
      if (x !== undefined && y !== undefined && this.#compare.difference(x, y) !== undefined) return "an alternative";
    }
    return undefined;
  }

  #findChangedData(): void {
    const { patched, pairs } = this.#in;
    for (const item of patched.items) {
      // A descriptor of pr_debug with another line is the same one.
      if (item.kind === "function" || item.role === "dyndbg" || isLiteral(item) || isBookkeeping(item.name)) continue;
      const original = pairs.original(item);
      if (original === undefined) {
        if (item.role === "declared") this.skipped.push({ name: item.name, why: `new in ${item.section.name}, which is read once` });
        continue;
      }
      const difference = this.#compare.items(original, item);
      if (difference === undefined) continue;
      const where = { file: patched.elf.file, symbol: item.name, section: item.section.name };
      if (item.role === "init") this.skipped.push({ name: item.name, why: "is used only at boot" });
      else if (item.role === "declared") this.#changedDeclaration(item, difference);
      else if (item.role === "rodata") this.#changedReadOnly(item, difference);
      else throw fail("DIFF_DATA_CHANGED", `${item.name} differs: ${difference}`, where);
    }
  }

  /** Declarations carry counters of the compiler in their names and values; what they hold was read at boot. */
  #changedDeclaration(item: Item, difference: string): void {
    throw fail("DIFF_SECTION_CHANGED", `${item.name} differs: ${difference}`, {
      file: this.#in.patched.elf.file,
      symbol: item.name,
      section: item.section.name,
    });
  }

  #changedReadOnly(item: Item, difference: string): void {
    const users = (this.#users.get(item) ?? []).filter((user) => user.role !== "init" && user.role !== "declared");
    const outside = users.find((user) => user.kind !== "function" || user.role !== "text");
    const global = item.symbols.some((s) => s.bind !== 0);
    if (global || outside !== undefined)
      throw fail(
        "DIFF_RODATA_CHANGED",
        `${item.name} differs (${difference}) and ${global ? "is used by other objects" : `${outside?.name} points to it`}`,
        { file: this.#in.patched.elf.file, symbol: item.name, section: item.section.name },
      );
    this.#fresh.add(item);
    for (const user of users) this.#change(user, `uses ${item.name}, which changed`);
  }

  /** Whether ftrace can redirect calls of the function. */
  patchable(item: Item): boolean {
    return (this.#in.patchedEntries.get(item) ?? []).some((entry) => fentryTables.includes(entry.table.section));
  }

  /** Whether the running kernel's own copy, too, can be redirected. */
  #redirectable(item: Item): boolean {
    const original = this.#in.pairs.original(item);
    const entries = original === undefined ? [] : (this.#in.originalEntries.get(original) ?? []);
    return entries.some((entry) => fentryTables.includes(entry.table.section));
  }

  redirected(item: Item): boolean {
    return this.changed.has(item) && this.#redirectable(item);
  }

  /** A changed function that cannot be redirected reaches the kernel through its callers, if all of them are known. */
  #takeCallersOfUnpatchable(): void {
    const queue = [...this.changed.keys()].filter((item) => !this.#redirectable(item));
    const seen = new Set(queue);
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      const where = { file: this.#in.patched.elf.file, symbol: item.name, section: item.section.name };
      if (item.symbols.some((s) => s.bind !== 0))
        throw fail("DIFF_NOT_PATCHABLE", `${item.name} has no ftrace entry and is called from other objects`, where);
      const users = this.#users.get(item) ?? [];
      for (const user of users) {
        if (user === item) continue;
        const pointer = user.refs.find((ref) => ref.to === item && !ref.branch && ref.target === item.entry);
        if (user.kind !== "function" || pointer !== undefined)
          throw fail("DIFF_NOT_PATCHABLE", `${item.name} has no ftrace entry and ${user.name} keeps a pointer to it`, where);
        if (user.role !== "text") continue;
        const caller = this.wholeOf(user);
        this.#change(caller, `calls ${item.name}, which changed and has no ftrace entry`);
        if (!this.#redirectable(caller) && this.#in.pairs.original(caller) !== undefined && !seen.has(caller)) {
          seen.add(caller);
          queue.push(caller);
        }
      }
    }
  }

  #close(): void {
    const queue = [...this.changed.keys()];
    for (const item of this.#cold.keys()) if (this.changed.has(this.wholeOf(item))) queue.push(item);
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      if (this.carried.has(item)) continue;
      this.#checkCarriable(item);
      this.carried.add(item);
      for (const ref of this.refsOf(item)) {
        const to = this.destination(ref, item);
        if ("carried" in to) queue.push(to.carried);
      }
    }
  }

  /** All references of an item, with those of its entries in special sections. */
  *refsOf(item: Item): Generator<Ref> {
    yield* this.#in.patched.refsOf(item);
    if (item.kind !== "function") return;
    for (const entry of this.#in.patchedEntries.get(item) ?? []) {
      yield* entry.refs;
      if (entry.replacement !== undefined) yield* entry.replacement.refs;
    }
  }

  #checkCarriable(item: Item): void {
    const where = { file: this.#in.patched.elf.file, symbol: item.name, section: item.section.name };
    if (item.role === "percpu") throw fail("DIFF_PER_CPU", `${item.name} is a new per-CPU variable`, where);
    if (item.role === "init") throw fail("DIFF_INIT_REFERENCE", `${item.name} is in the memory of the boot phase`, where);
    if (item.role === "declared" || item.role === "table" || item.role === "ignored")
      throw fail("DIFF_UNKNOWN_SECTION", `${item.name} would have to be carried out of ${item.section.name}`, where);
    if (item.kind === "anonymous" && !isLiteral(item))
      throw fail("DIFF_UNKNOWN_SECTION", `${item.section.name} has no symbol that names what is in it`, where);
  }

  destination(ref: Ref, from: Item): Destination {
    if (ref.fault !== undefined) throw ref.fault;
    if (!isItem(ref.to)) return { kernel: ref.to };
    const to = ref.to;
    const original = this.#in.pairs.original(to);
    if (isLiteral(to) || this.#fresh.has(to) || original === undefined) return { carried: to };
    if (to.kind !== "function") {
      if (this.#pointsIntoCarried(to)) return { carried: to };
      if (to.role === "init")
        throw fail("DIFF_INIT_REFERENCE", `${from.name} refers to ${to.name}, whose memory is free after boot`, {
          file: this.#in.patched.elf.file,
          symbol: from.name,
          offset: ref.at,
        });
      this.#checkAmbiguous(ref, from);
      return { kernel: original };
    }
    if (!this.changed.has(this.wholeOf(to))) {
      if (to.role === "init")
        throw fail("DIFF_INIT_REFERENCE", `${from.name} refers to ${to.name}, whose memory is free after boot`, {
          file: this.#in.patched.elf.file,
          symbol: from.name,
          offset: ref.at,
        });
      if (ref.target !== to.entry)
        throw fail("DIFF_REFERENCE", `${from.name} refers to the inside of ${to.name}, which is not carried`, {
          file: this.#in.patched.elf.file,
          symbol: from.name,
          offset: ref.at,
        });
      return { kernel: original };
    }
    // A pointer that is kept must be the original's, so that comparisons hold. Calls, and places inside, are the carried function's own.
    const pointer = !ref.branch && ref.target === to.entry && from !== to && this.#redirectable(to) && !this.#ownTable(ref, from);
    return pointer ? { kernel: original } : { carried: to };
  }

  /** Entries of special sections point at the carried code itself. */
  #ownTable(ref: Ref, from: Item): boolean {
    return from.kind === "function" && !from.refs.includes(ref);
  }

  #pointsIntoCarried(item: Item): boolean {
    if (item.role !== "rodata") return false;
    const inside = item.refs.some((ref) => isItem(ref.to) && ref.to.kind === "function" && ref.target !== ref.to.entry);
    if (!inside) return false;
    this.#fresh.add(item);
    return true;
  }

  /** A reference that may mean a neighbour is right if the neighbours are the kernel's. */
  #checkAmbiguous(ref: Ref, from: Item): void {
    if (!ref.loose || !isItem(ref.to)) return;
    const { patched, pairs } = this.#in;
    const { to } = ref;
    const original = pairs.original(to);
    if (original === undefined) return;
    const at = to.beside.indexOf(to);
    const atBefore = original.beside.indexOf(original);
    for (const step of [-1, 1]) {
      const neighbour = to.beside[at + step];
      const before = original.beside[atBefore + step];
      if (neighbour === undefined && before === undefined) continue;
      if (neighbour === undefined || before === undefined || pairs.original(neighbour) !== before || neighbour.start - to.start !== before.start - original.start)
        throw fail("DIFF_REFERENCE", `${from.name} refers to ${to.name} or to what stands beside it, which moved`, {
          file: patched.elf.file,
          symbol: from.name,
          offset: ref.at,
        });
    }
  }

  /** A table that points into a carried function may be used by carried code only: others would jump into the new code. */
  #checkFresh(): void {
    for (const item of this.#fresh)
      for (const user of this.#users.get(item) ?? [])
        if (user.role !== "init" && user.role !== "declared" && !this.carried.has(user))
          throw fail("DIFF_RODATA_CHANGED", `${item.name} must be carried, but ${user.name}, which is not patched, uses it too`, {
            file: this.#in.patched.elf.file,
            symbol: item.name,
            section: item.section.name,
          });
  }
}
