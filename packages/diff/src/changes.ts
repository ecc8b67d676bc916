/**
 * What differs. After this pass every difference is a changed function, a read-only object to be carried anew, something that needs nothing
 * at run time, or has been refused.
 */
import { STB } from "@suture/elf";
import { SutureError } from "@suture/errors";
import { accessOf } from "./accesses.ts";
import { checkHome } from "./check-home.ts";
import { Comparer } from "./compare.ts";
import { hasFtraceSite } from "./ftrace-sites.ts";
import { type Item, isGlobal, isItem, sizeOf } from "./items.ts";
import { isLiteral } from "./literals.ts";
import { takeLive } from "./live.ts";
import { isBookkeeping } from "./names.ts";
import type { Plan } from "./plan.ts";
import type { Refusals } from "./refusals.ts";
import { functionDifference } from "./same-function.ts";
import { EXPORTS, type SectionRole, tracepointHome } from "./sections.ts";

export type Force = (name: string) => boolean;

/** Code that needs nothing in a running kernel. */
const IDLE: Partial<Record<SectionRole, string>> = {
  init: "runs only at boot, or when its module is loaded",
  exit: "is never run in a built-in object",
  // It has no ftrace entry (__exit is notrace), and cleans up what the module set up before it was patched.
  unload: "runs only when its module is unloaded",
};

const IGNORED = "the fix says that it is to be ignored";

/** Where a change of size would let patched code reach past the end of what the kernel has. */
const LIVE: ReadonlySet<SectionRole> = new Set(["data", "rodata", "percpu", "once"]);

/** What holds state of the running kernel. */
const STATE: ReadonlySet<SectionRole> = new Set(["data", "percpu", "once"]);

export function findChanges(plan: Plan, force: Force, refusals: Refusals): void {
  const { original, patched, correlation } = plan.in;
  const finder = new Finder(plan, new Comparer(original.itemized, patched.itemized, correlation, (name) => plan.isElsewhere(name)));
  finder.foldedFunctions();
  for (const item of patched.itemized.items)
    refusals.attempt(() => {
      if (item.kind === "function") finder.function(item, force);
      else finder.data(item);
    });
  for (const item of original.itemized.items) if (correlation.patched(item) === undefined) refusals.attempt(() => finder.gone(item));
}

class Finder {
  readonly #plan: Plan;
  readonly #compare: Comparer;

  constructor(plan: Plan, compare: Comparer) {
    this.#plan = plan;
    this.#compare = compare;
  }

  /** Functions that became the same code are one item with two names. */
  foldedFunctions(): void {
    const { original, patched, correlation } = this.#plan.in;
    const gone = new Map<string, Item>();
    for (const item of original.itemized.items)
      if (item.kind === "function" && correlation.patched(item) === undefined) for (const { name } of item.symbols) gone.set(name, item);
    for (const item of patched.itemized.items) {
      if (item.symbols.length < 2 || correlation.original(item) === undefined) continue;
      for (const { name } of item.symbols) {
        const other = gone.get(name);
        if (other !== undefined && other.role === item.role) this.#plan.fold(item, other);
      }
    }
  }

  function(item: Item, force: Force): void {
    const plan = this.#plan;
    const originals = plan.originalsOf(item);
    const elsewhere = plan.elsewhere.get(item);
    if (elsewhere !== undefined) {
      if (elsewhere.replace) plan.change(item, { why: "is defined here now", forced: false, through: [] });
      return;
    }
    if (originals.length === 0) {
      this.#newItem(item);
      return;
    }
    let why: string | undefined;
    for (const original of originals) why ??= this.#functionDifference(original, item);
    this.#checkNames(originals, item, why !== undefined);
    if (why === undefined) {
      if (plan.wholeOf(item) === item && item.symbols.some(({ name }) => force(name))) this.#asked(item);
      return;
    }
    const ignored = plan.ignores(item);
    if (ignored) plan.ignored.add(item);
    const idle = ignored ? `differs (${why}): ${IGNORED}` : IDLE[item.role];
    if (idle !== undefined) {
      plan.skipped.push({ name: item.name, why: idle });
      if (!ignored && item.role !== "exit") plan.leftOut.add(item);
    } else if (item.role === "text") plan.change(item, { why, forced: false, through: [] });
    else
      throw plan.refuse(
        "DIFF_UNKNOWN_SECTION",
        `${item.name} differs (${why}), and ${item.section.name} is a section of no known kind`,
        item,
      );
  }

  /** A function that is the same, and is to be replaced by itself. */
  #asked(item: Item): void {
    const plan = this.#plan;
    const reachable = plan.redirectable(item) && hasFtraceSite(plan.in.patched, item);
    if (item.role === "text" && reachable) {
      plan.change(item, { why: "asked for", forced: true, through: [] });
      return;
    }
    const why =
      item.role === "text" ? "has no ftrace entry" : (IDLE[item.role] ?? `is in ${item.section.name}, a section of no known kind`);
    plan.notTaken.push({ name: item.name, why, code: "DIFF_NOT_PATCHABLE" });
  }

  /** Calls of any of the original's names reach the replacement; each must still mean this function. */
  #checkNames(originals: readonly Item[], item: Item, differs: boolean): void {
    if (originals.length === 1 && originals[0]?.symbols.length === 1) return;
    const names = new Set(item.symbols.map((s) => s.name));
    for (const original of originals)
      for (const { name, bind } of original.symbols)
        if (bind !== STB.LOCAL && !names.has(name) && (differs || this.#definesAnew(name)))
          throw this.#plan.refuse(
            "DIFF_NOT_PATCHABLE",
            `${original.name} and ${name} are one piece of code in the kernel, and no longer the same`,
            item,
          );
  }

  /** Whether a new item of the patched object has the name. */
  #definesAnew(name: string): boolean {
    return this.#plan.in.patched.itemized.items.some(
      (i) => this.#plan.in.correlation.original(i) === undefined && i.symbols.some((s) => s.name === name),
    );
  }

  #functionDifference(original: Item, patched: Item): string | undefined {
    const { original: before, patched: after } = this.#plan.in;
    return functionDifference(this.#compare, [before.entries, original], [after.entries, patched]);
  }

  data(item: Item): void {
    // Of descriptors of pr_debug only the line can differ: others have no twin.
    if (item.role === "dyndbg" || isLiteral(item)) return;
    const original = this.#plan.in.correlation.original(item);
    if (isBookkeeping(item.name)) {
      const difference = original === undefined ? undefined : this.#compare.items(original, item);
      if (difference !== undefined) this.#renew(item, difference);
      return;
    }
    if (original === undefined) {
      this.#newItem(item);
      return;
    }
    checkHome(this.#plan, original, item);
    const difference = this.#compare.items(original, item);
    if (difference === undefined) return;
    const { skipped } = this.#plan;
    const why = `${item.name} differs: ${difference}`;
    if (this.#plan.ignores(item) && !(LIVE.has(item.role) && sizeOf(item) !== sizeOf(original))) {
      skipped.push({ name: item.name, why: `differs (${difference}): ${IGNORED}` });
      return;
    }
    switch (LIVE.has(item.role) ? original.role : item.role) {
      case "init":
        skipped.push({ name: item.name, why: "is used only at boot, or when its module is loaded" });
        break;
      case "exit":
        skipped.push({ name: item.name, why: "is never used in a built-in object" });
        break;
      case "rodata":
        this.#carryAnewOrWrite(original, item, difference);
        break;
      case "data":
      case "percpu":
      case "once":
        this.#write(original, item, (more) => this.#plan.refuse("DIFF_DATA_CHANGED", `${why}${more}`, item));
        break;
      case "declared":
        // One section for all exports of the object, that modpost alone reads: what is exported anew, or no longer, changes it.
        if (item.section.name !== EXPORTS) throw this.#plan.refuse("DIFF_SECTION_CHANGED", why, item);
        skipped.push({ name: item.name, why: `differs (${difference}); the running kernel keeps the exports that it has` });
        break;
      default:
        throw this.#plan.refuse("DIFF_SECTION_CHANGED", why, item);
    }
  }

  /** Bookkeeping that begins otherwise than before: the livepatch has its own, and all functions that use it. */
  #renew(item: Item, difference: string): void {
    const plan = this.#plan;
    const why = `${item.name} differs: ${difference}`;
    const referrers = plan.in.patched.referrers.of(item);
    const by = referrers.find((use) => use.by.kind !== "function");
    if (by !== undefined) throw plan.refuse("DIFF_DATA_CHANGED", `${why}, and ${by.by.name} points to it`, item);
    const running = referrers.filter((use) => use.by.role === "text");
    if (running.length === 0) return;
    plan.recarried.add(item);
    for (const use of running) plan.change(use.by, { why: `uses ${why}`, forced: false, through: [] });
    plan.notes.push(`${why}: the livepatch has its own, which begins anew`);
  }

  /** New code and data are carried where they are needed. */
  #newItem(item: Item): void {
    const { section, name } = item;
    if (this.#plan.elsewhere.has(item)) return;
    const { skipped } = this.#plan;
    if (item.role === "declared") skipped.push({ name, why: `is new in ${section.name}, which is read once` });
    else if (item.role === "init") skipped.push({ name, why: "is new, and used only at boot, or when its module is loaded" });
    else if (item.role === "unknown" && tracepointHome(section) !== undefined)
      this.#plan.notes.push(`${name} is new: the kernel knows no tracepoints of a livepatch, so that it stays switched off`);
    else if (item.role === "unknown" && this.#plan.ignores(item)) skipped.push({ name, why: `is new in ${section.name}: ${IGNORED}` });
    else if (item.role === "unknown") throw this.#plan.refuse("DIFF_SECTION_CHANGED", `${name} is new in ${section.name}`, item);
  }

  gone(item: Item): void {
    const ignored = this.#plan.ignores(item);
    if (item.role === "unknown" && !isLiteral(item) && !ignored)
      throw this.#plan.refuse("DIFF_SECTION_CHANGED", `${item.name} is gone from ${item.section.name}`, item);
    if (ignored) this.#plan.skipped.push({ name: item.name, why: `is gone from ${item.section.name}: ${IGNORED}` });
    else if (STATE.has(item.role) && item.symbols.length > 0 && !isBookkeeping(item.name) && this.#isUsed(item))
      this.#plan.skipped.push({ name: item.name, why: "is gone; what the running kernel has in it is no longer used" });
    else if (item.role === "declared" || item.role === "init")
      this.#plan.skipped.push({ name: item.name, why: `is gone from ${item.section.name}; the running kernel keeps it` });
    else if (item.kind === "function" && item.role === "text" && this.#isHeld(item))
      this.#plan.notes.push(`${item.name} is gone: what was given its address before (a timer, a callback) goes on with the old code`);
  }

  /** Whether code makes a pointer to a function. */
  #isHeld(item: Item): boolean {
    const { referrers } = this.#plan.in.original;
    return referrers.of(item).some(({ by, ref }) => !ref.branch && ref.target === item.entry && (by.role === "text" || by.role === "init"));
  }

  #isUsed(item: Item): boolean {
    return this.#plan.in.original.referrers.of(item).some(({ by }) => by.role === "text");
  }

  /** Where the running kernel has it. */
  #write(original: Item, item: Item, refuse: (more: string) => Error): void {
    const why = takeLive(this.#plan, this.#compare, original, item);
    if (why !== undefined) throw refuse(`; ${why}`);
    if (this.#plan.acceptData === undefined) throw refuse("");
  }

  /** A table that others have pointers to is changed for them where it stands. */
  #carryAnewOrWrite(original: Item, item: Item, difference: string): void {
    try {
      this.#carryAnew(item, difference);
    } catch (error) {
      if (!(error instanceof SutureError)) throw error;
      this.#write(original, item, (more) => this.#plan.refuse("DIFF_RODATA_CHANGED", `${error.message}${more}`, item));
    }
  }

  /**
   * The kernel's copy stays for those that have a pointer to it; the functions that use the new one are patched together. That is right for a
   * table that is read where it is named, not for one that was registered somewhere.
   */
  #carryAnew(item: Item, difference: string): void {
    const plan = this.#plan;
    const refuse = (why: string): Error => plan.refuse("DIFF_RODATA_CHANGED", `${item.name} differs (${difference}) and ${why}`, item);
    const queue = [item];
    const operations = hasCode(item);
    const fresh = new Set<Item>();
    const users = new Set<Item>();
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if (plan.recarried.has(next) || fresh.has(next)) continue;
      if (isGlobal(next)) throw refuse(`${next.name} is used by other objects`);
      fresh.add(next);
      for (const { by, ref } of plan.in.patched.referrers.of(next)) {
        if (by.kind !== "function") {
          if (by.role !== "rodata") throw refuse(`${by.name} points to it`);
          queue.push(by);
          continue;
        }
        const use = accessOf(by, ref);
        if (use === "comparison") throw refuse(`${by.name} compares pointers to it`);
        if (by.role !== "text") {
          if (use === "pointer") throw refuse(`${by.name} has given a pointer to it away before`);
          continue;
        }
        if (use === "pointer" && operations) throw refuse(`${by.name} gives a pointer to it, and to the functions in it, away`);
        if (plan.ignores(by)) throw refuse(`${by.name}, which is to be ignored, uses it`);
        users.add(by);
      }
    }
    for (const one of fresh) plan.recarried.add(one);
    for (const by of users) plan.change(by, { why: `uses ${item.name}, which differs: ${difference}`, forced: false, through: [] });
    plan.notes.push(`${item.name} differs (${difference}): the patch has its own, and whoever has a pointer to the kernel's keeps that`);
  }
}

/** Whether it holds pointers to functions, or to what may be some. */
function hasCode(item: Item): boolean {
  return item.refs.some(({ to }) => !isItem(to) || to.kind === "function");
}
