/**
 * Code that a livepatch leaves out: what runs at boot, when a module is loaded, or when it goes. That is right only if nothing that is carried
 * depends on what the fix changed there: the running kernel has what the old code made. What changed is read from the references and numbers
 * of both versions, whatever registers and places the compiler chose.
 */
import { SHF } from "@suture/elf";
import type { SutureError } from "@suture/errors";
import { accessOf } from "./accesses.ts";
import { bytesOf, type Item, isGlobal, isItem, type Ref } from "./items.ts";
import { comparedBytes, isLiteral } from "./literals.ts";
import { sourceName } from "./marks.ts";
import { isBookkeeping } from "./names.ts";
import { onlyReads } from "./non-retaining-functions.ts";
import type { Plan } from "./plan.ts";

/** Whether somebody who knows better says that a function may be left out. */
export type AcceptInit = (name: string) => boolean;

/** What carried code needs of code that is left out, in order. */
export function leftOut(plan: Plan, accepted: AcceptInit): Missed {
  const checking = new LeftOut(plan, accepted);
  checking.run();
  return checking;
}

export interface Missed {
  /** Each names both. */
  missed: readonly SutureError[];
  /** By names of other objects' variables that only left-out code sets up: for a variable that is new there. */
  outward: ReadonlyMap<string, SutureError>;
}

class LeftOut implements Missed {
  readonly missed: SutureError[] = [];
  readonly outward = new Map<string, SutureError>();
  readonly #plan: Plan;
  readonly #accepted: AcceptInit;
  /** Functions that run when the livepatch comes. */
  readonly #callbacks: ReadonlySet<Item>;

  constructor(plan: Plan, accepted: AcceptInit) {
    this.#plan = plan;
    this.#accepted = accepted;
    this.#callbacks = this.#called([...plan.in.marks.callbacks.values()], (item) => plan.carried.has(item));
  }

  run(): void {
    const { patched } = this.#plan.in;
    this.#tables();
    const parameters = this.#parameters();
    const functions = this.#functions();
    for (const item of functions) {
      if (this.#accepts(item)) {
        this.#plan.notes.push(`${item.name} is left out as it is; whoever made the livepatch says that nothing carried depends on it`);
        continue;
      }
      const original = this.#plan.in.correlation.original(item);
      const before = original === undefined ? new Map<unknown, number>() : this.#count(original);
      for (const ref of patched.itemized.refsOf(item)) {
        const key = this.#key(ref.to);
        const left = before.get(key) ?? 0;
        before.set(key, left - 1);
        if (left <= 0) this.#added(item, ref, parameters.has(item));
      }
      if (original !== undefined && item.role !== "unload") this.#setOtherwise(original, item);
    }
    for (const item of functions) if (item.role !== "unload" && !this.#accepts(item)) this.#throughHelpers(item);
  }

  /** New functions that run-time code may call too, or others: the call of the boot phase never comes. */
  #throughHelpers(root: Item): void {
    const { plan } = { plan: this.#plan };
    const isHelper = (to: Item): boolean => plan.carried.has(to) && to.role === "text" && plan.in.correlation.original(to) === undefined;
    for (const item of this.#called([root], isHelper)) {
      if (item === root || this.#accepts(item) || this.#repeated(item)) continue;
      for (const { to } of plan.in.patched.itemized.refsOf(item)) {
        if (!isItem(to) || to.kind === "function" || isLiteral(to) || isBookkeeping(to.name) || !LIVE.has(to.role)) continue;
        if (
          plan.in.correlation.original(to) !== undefined ||
          plan.elsewhere.has(to) ||
          plan.in.patched.referrers.of(to).every(({ by, ref }) => by !== item || accessOf(by, ref) === "read")
        )
          continue;
        const user = this.#carriedUsers(to).find((by) => by !== item);
        if (user === undefined || this.#repeated(to)) continue;
        this.#refuse(
          root,
          `${root.name} calls the new ${item.name}, which sets the new ${to.name}, and ${user.name} uses that; ${root.name} ${WHEN[root.role] ?? "runs only at boot"}, and is left out`,
        );
        break;
      }
    }
  }

  /** Carried code that refers to a variable, also by a row of a special section, as branches on static keys do. */
  #carriedUsers(to: Item): Item[] {
    const { patched } = this.#plan.in;
    const rows = [...this.#plan.carried].filter((item) =>
      (patched.entries.get(item) ?? []).some((entry) => entry.refs.some((ref) => ref.to === to)),
    );
    return [...patched.referrers.of(to).flatMap(({ by }) => (this.#plan.carried.has(by) ? [by] : [])), ...rows];
  }

  #accepts(item: Item): boolean {
    return item.symbols.some(({ name }) => this.#accepted(name) || this.#accepted(sourceName(name)));
  }

  #refuse(item: Item, why: string, at?: number): void {
    this.missed.push(this.#plan.refuse("DIFF_LEFT_OUT", why, item, at));
  }

  /** Changed or new functions that are not carried, and new ones that only those call. */
  #functions(): Set<Item> {
    const { plan } = { plan: this.#plan };
    const isNew = (item: Item): boolean => plan.in.correlation.original(item) === undefined && !plan.carried.has(item);
    const roots = plan.in.patched.itemized.items.filter(
      (item) => plan.leftOut.has(item) || (item.kind === "function" && (item.role === "init" || item.role === "unload") && isNew(item)),
    );
    return this.#called(roots, (item) => item.role === "text" && isNew(item));
  }

  /** Those, and what they call as far as `wanted`. */
  #called(roots: readonly Item[], wanted: (item: Item) => boolean): Set<Item> {
    const all = new Set(roots);
    for (const item of all)
      for (const { to, branch } of this.#plan.in.patched.itemized.refsOf(item))
        if (branch && isItem(to) && to.kind === "function" && wanted(to)) all.add(to);
    return all;
  }

  /** Of a new parameter the kernel was told nothing that it followed: its variable has the value that it begins with. One that was there may have been used. */
  #parameters(): Set<Item> {
    const { correlation, patched } = this.#plan.in;
    const isNew = ({ to }: Ref): boolean => isItem(to) && to.kind === "function" && correlation.original(to) === undefined;
    return new Set(
      patched.itemized.items.filter(isParameter).flatMap(({ refs }) => refs.filter(isNew).flatMap(({ to }) => (isItem(to) ? [to] : []))),
    );
  }

  /** Lists of what the kernel calls or registers once: what is new in them is not seen. */
  #tables(): void {
    const { patched, original } = this.#plan.in;
    const before = new Map<unknown, number>();
    const entries = (items: readonly Item[]): [Item, Ref][] =>
      items.filter(isTable).flatMap((item) => item.refs.map((ref) => [item, ref] as [Item, Ref]));
    for (const [, { to }] of entries(original.itemized.items)) before.set(this.#key(to), (before.get(this.#key(to)) ?? 0) + 1);
    for (const [item, { to, at }] of entries(patched.itemized.items)) {
      const key = this.#key(to);
      const left = before.get(key) ?? 0;
      before.set(key, left - 1);
      if (left > 0 || this.#accepted(sourceName(to.name)) || (isItem(to) && (isLiteral(to) || this.#accepts(to)))) continue;
      this.#refuse(item, `${to.name} is new in ${item.section.name}, which is read only at boot, or when its module is loaded`, at);
    }
    for (const item of patched.itemized.items)
      for (const { name } of item.symbols)
        if (
          name === "init_module" &&
          !original.itemized.items.some(({ symbols }) => symbols.some((symbol) => symbol.name === name)) &&
          !this.#accepts(item)
        )
          this.#refuse(item, `${item.name} is new, and runs only when its module is loaded`);
  }

  /** What two versions of a reference have in common. */
  #key(to: Ref["to"]): unknown {
    if (!isItem(to)) return to.name;
    if (isLiteral(to)) return `literal ${Buffer.from(comparedBytes(to)).toString("latin1")}`;
    return this.#plan.in.correlation.original(to) ?? to;
  }

  #count(original: Item): Map<unknown, number> {
    const counts = new Map<unknown, number>();
    for (const { to } of this.#plan.in.original.itemized.refsOf(original)) counts.set(this.#key(to), (counts.get(this.#key(to)) ?? 0) + 1);
    return counts;
  }

  /** A reference that the left-out function did not have before. */
  #added(item: Item, ref: Ref, parameter: boolean): void {
    const { to } = ref;
    if (!isItem(to) && !ref.branch && accessOf(item, ref) !== "read") this.#outward(item, to.name, ref.at);
    if (!isItem(to) || isLiteral(to) || isBookkeeping(to.name) || ref.branch) return;
    const isNew = this.#plan.in.correlation.original(to) === undefined && !this.#plan.elsewhere.has(to);
    if (to.kind === "function") {
      if (ref.target !== to.entry || to.role !== "text" || this.#repeated(to)) return;
      if (isNew)
        this.#refuse(
          item,
          `${item.name}, which ${WHEN[item.role] ?? "runs only at boot"}, gives the new ${to.name} away, and is left out`,
          ref.at,
        );
      else if (this.#plan.changed.has(to) && item.role !== "unload")
        this.#refuse(
          item,
          `${item.name}, which ${WHEN[item.role] ?? "runs only at boot"}, newly gives ${to.name}, which differs, away, and is left out`,
          ref.at,
        );
      return;
    }
    if (!isNew || !LIVE.has(to.role)) return;
    const access = accessOf(item, ref);
    if ((access === "read" && item.role !== "unload") || access === "comparison") return;
    const referrers = this.#carriedUsers(to);
    const operations = to.refs.some((one) => isItem(one.to) && one.to.kind === "function");
    if (this.#repeated(to) || (referrers.length === 0 && !isGlobal(to) && !operations)) return;
    // What nobody but a handler of the kernel's command line sets.
    if (parameter && access === "write") return;
    const by = referrers[0] === undefined ? "" : `, which ${referrers[0].name} ${access === "write" ? "reads" : "uses"}`;
    const what = access === "write" ? "sets" : access === "read" ? "uses" : "makes a pointer to";
    this.#refuse(
      item,
      `${item.name} ${what} the new ${to.name}${by}; ${item.name} ${WHEN[item.role] ?? "runs only at boot"}, and is left out`,
      ref.at,
    );
  }

  #outward(item: Item, name: string, at: number): void {
    const why = `${item.name} sets the new ${name} up; ${item.name} ${WHEN[item.role] ?? "runs only at boot"}, and is left out`;
    if (!this.outward.has(name)) this.outward.set(name, this.#plan.refuse("DIFF_LEFT_OUT", why, item, at));
  }

  /** Whether a callback does what is to be done once. */
  #repeated(to: Item): boolean {
    for (const callback of this.#callbacks)
      for (const ref of this.#plan.in.patched.itemized.refsOf(callback))
        if (ref.to === to && !ref.branch && (to.kind === "function" || accessOf(callback, ref) !== "read")) return true;
    return false;
  }

  /** Variables that the kernel has, and that carried functions use: they hold what the old code put there. */
  #setOtherwise(original: Item, item: Item): void {
    const { plan } = { plan: this.#plan };
    const before = this.#settings(original, plan.in.original.itemized.refsOf(original));
    const after = this.#settings(item, plan.in.patched.itemized.refsOf(item));
    for (const [variable, { how, to }] of after) {
      // New ones were looked at by themselves.
      if (isItem(to) && plan.in.correlation.original(to) === undefined) continue;
      if (before.get(variable)?.how === how || (isItem(to) && this.#repeated(to))) continue;
      const user = this.#userOf(to);
      if (user === undefined) continue;
      this.#refuse(
        item,
        `${item.name} sets ${to.name} up otherwise than before, and ${user.name}, which is carried, uses it; ${item.name} ${WHEN[item.role] ?? "runs only at boot"}, and is left out`,
      );
    }
    for (const [variable, { to }] of before) {
      if (after.has(variable) || (isItem(to) && plan.in.correlation.patched(to) === undefined)) continue;
      const now = isItem(to) ? (plan.in.correlation.patched(to) ?? to) : to;
      const user = this.#userOf(now);
      if (user === undefined || (isItem(now) && this.#repeated(now))) continue;
      this.#refuse(
        item,
        `${item.name} no longer sets ${to.name} up, and ${user.name}, which is carried, uses it; the running kernel's was set up at boot, or when its module was loaded`,
      );
    }
  }

  /** A carried function that differs, or is new, and refers to the variable. */
  #userOf(to: Ref["to"]): Item | undefined {
    const { plan } = { plan: this.#plan };
    for (const item of plan.carried) {
      if (item.kind !== "function" || plan.changed.get(plan.wholeOf(item))?.forced === true) continue;
      const refs = [...item.refs, ...(plan.in.patched.entries.get(item) ?? []).flatMap((entry) => entry.refs)];
      if (refs.some((ref) => (isItem(to) ? ref.to === to : !isItem(ref.to) && ref.to.name === to.name))) return item;
    }
    return undefined;
  }

  /**
   * What a function sets up, and how: a variable that it writes, by the numbers and calculations since the call whose result that may be, and by that call's own;
   * one that it gives away, by the call that gets it and what else that gets.
   */
  #settings(item: Item, refs: readonly Ref[]): Map<unknown, { how: string; to: Ref["to"] }> {
    const byField = new Map(refs.map((ref) => [ref.at, ref]));
    const ways = new Map<unknown, { ways: string[]; to: Ref["to"] }>();
    let call = "";
    let facts: string[] = [];
    let open: Ref["to"][] = [];
    const set = (to: Ref["to"], way: string): void => {
      const key = this.#key(to);
      const known = ways.get(key);
      if (known === undefined) ways.set(key, { ways: [way], to });
      else known.ways.push(way);
    };
    for (const step of item.arch.code.stepsIn(bytesOf(item))) {
      const named = step.fields.flatMap((at) => byField.get(at) ?? []);
      const numbers = step.numbers.filter(([at]) => !byField.has(at)).map(([, value]) => String(value));
      facts.push(...numbers, ...(step.work === undefined ? [] : [step.work]));
      for (const ref of named) {
        if (ref.branch || !isVariable(ref.to)) continue;
        const access = accessOf(item, ref);
        const place = `${this.#name(ref.to)}+${ref.target}`;
        // A number that the instruction writes says all; what a register holds comes from what was done since the last call, or from that.
        const plain = step.fields.length > 1 ? [...numbers, ...named.filter((one) => one !== ref).map(({ to }) => this.#name(to))] : [];
        if (access === "write")
          set(ref.to, plain.length > 0 ? `${plain.join(" ")} → ${ref.target}` : `${call} → ${[...facts].sort().join(" ")} → ${ref.target}`);
        else if (access === "pointer" && isItem(ref.to) && (ref.to.section.flags & SHF.WRITE) !== 0) open.push(ref.to);
        if (access !== "read") facts.push(place);
        else facts.push(`*${place}`);
      }
      if (step.flow === "next" || step.flow === "branch") continue;
      const callee = named.find(({ branch }) => branch)?.to.name ?? "";
      if (step.flow === "call" && onlyReads(callee)) {
        // What is said is no setting, nor does it change a result that was kept.
        facts = [];
        open = [];
        continue;
      }
      call = step.flow === "call" ? `${callee}(${[...facts].sort().join(" ")})` : "";
      for (const to of open) set(to, call);
      facts = [];
      open = [];
    }
    return new Map([...ways].map(([key, { ways: list, to }]) => [key, { how: list.sort().join("; "), to }]));
  }

  #name(to: Ref["to"]): string {
    if (!isItem(to)) return to.name;
    return (this.#plan.in.correlation.original(to) ?? to).name;
  }
}

const WHEN: Partial<Record<Item["role"], string>> = {
  init: "runs only at boot, or when its module is loaded",
  unload: "runs only when its module is unloaded",
};

/** What a running kernel keeps. */
const LIVE: ReadonlySet<Item["role"]> = new Set(["data", "rodata", "percpu", "once"]);

function isVariable(to: Ref["to"]): boolean {
  return !isItem(to) || (to.kind === "object" && LIVE.has(to.role) && !isLiteral(to) && !isBookkeeping(to.name));
}

/** Pointers to what is called or registered, not data of the boot phase. */
function isTable({ kind, role, section: { name } }: Item): boolean {
  return role === "init" && kind !== "function" && !/^\.(init\.(data|rodata|bss|setup)|dtb\.)/.test(name);
}

function isParameter({ section: { name } }: Item): boolean {
  return name === ".init.setup" || name === "__param";
}
