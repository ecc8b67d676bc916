/** Where references of carried code go: to what is carried with it, or to what the kernel has. */
import type { ElfSymbol } from "@suture/elf";
import { type Item, isItem, type Ref } from "./items.ts";
import { isLiteral } from "./literals.ts";
import { isClone } from "./names.ts";
import type { Anchor, Plan } from "./plan.ts";

/** A carried item; an original item, or a symbol by which another object of the kernel is reached; or the kernel's copy of a literal. */
export type Destination = { carried: Item } | { kernel: Item | ElfSymbol } | { literal: Item; anchor: Anchor };

/**
 * @param inTable the reference is one of a special table's entry for `from`
 * @throws DIFF_REFERENCE, DIFF_INIT_REFERENCE
 */
export function destinationOf(plan: Plan, ref: Ref, from: Item, inTable: boolean): Destination {
  if (ref.fault !== undefined) throw ref.fault;
  const destination = choose(plan, ref, from, inTable);
  if (!from.arch.relocations.loadable.has(ref.type) && !("carried" in destination && destination.carried === from))
    throw plan.refuse(
      "DIFF_REFERENCE",
      `${from.name} has a reference of type ${ref.type}, which the kernel's module loader does not apply`,
      from,
      ref.at,
    );
  return destination;
}

function choose(plan: Plan, ref: Ref, from: Item, inTable: boolean): Destination {
  const { to } = ref;
  if (!isItem(to)) {
    if (to.place === "undef") return { kernel: plan.definedElsewhere(to) ?? to };
    throw plan.refuse("DIFF_REFERENCE", `${from.name} refers to ${to.name}, which has no place in an object`, from, ref.at);
  }
  if (to.kind === "row") {
    if (plan.ownRow(from, to) !== undefined) return { carried: to };
    throw plan.refuse("DIFF_REFERENCE", `${from.name} refers to ${to.name}, which is no entry of its own`, from, ref.at);
  }
  if (isLiteral(to)) {
    const anchor = inTable || !mayReach(from) ? undefined : plan.anchorOf(to);
    return anchor === undefined ? { carried: to } : { literal: to, anchor };
  }
  const original = plan.in.correlation.original(to);
  const elsewhere = plan.elsewhere.get(to);
  if (elsewhere !== undefined) {
    const own = elsewhere.replace && (ref.branch || ref.target !== to.entry || from === to || inTable);
    return own ? { carried: to } : { kernel: elsewhere.symbol };
  }
  if (original === undefined || plan.recarried.has(to)) return { carried: to };
  // Which object of the kernel defines a weak symbol, only the linker of the kernel knew.
  if (ref.weak !== undefined && ref.target === to.entry) return { kernel: ref.weak };
  if (to.kind === "function") return functionDestination(plan, ref, to, original, from, inTable);
  // The kernel's descriptors of a module can be reached only when that is loaded, which is too late for the jump table.
  if (to.role === "dyndbg" && plan.in.build.module) return { carried: to };
  if (pointsInside(to)) {
    plan.recarried.add(to);
    return { carried: to };
  }
  checkKept(plan, ref, to, from);
  if (ref.loose) checkNeighbours(plan, ref, to, original, from);
  return kernel(plan, ref, original, from);
}

/** What the kernel reads before it applies the livepatch's relocations (descriptors of pr_debug) has its own copy, like its tables. */
function mayReach({ role }: Item): boolean {
  return role === "text" || role === "rodata" || role === "data";
}

function functionDestination(plan: Plan, ref: Ref, to: Item, original: Item, from: Item, inTable: boolean): Destination {
  if (!plan.changed.has(plan.wholeOf(to))) {
    checkKept(plan, ref, to, from);
    if (plan.ignored.has(to) && isClone(to.name))
      throw plan.refuse(
        "DIFF_NOT_PATCHABLE",
        `${from.name} calls ${to.name}, which is to be ignored; the compiler may have chosen other parameters for it`,
        from,
        ref.at,
      );
    if (ref.target !== to.entry)
      throw plan.refuse("DIFF_REFERENCE", `${from.name} refers to the inside of ${to.name}, which is not carried`, from, ref.at);
    return kernel(plan, ref, original, from);
  }
  // A pointer that is kept must be the original's, so that comparisons hold. Calls, places inside, and tables are the carried function's own.
  const pointer = !ref.branch && ref.target === to.entry && from !== to && !inTable && plan.redirectable(to);
  return pointer ? kernel(plan, ref, original, from) : { carried: to };
}

function kernel(plan: Plan, ref: Ref, original: Item, from: Item): Destination {
  if (original.symbols.length === 0)
    throw plan.refuse("DIFF_REFERENCE", `${from.name} refers to ${original.name}, which has no symbol in the kernel`, from, ref.at);
  return { kernel: original };
}

function checkKept(plan: Plan, ref: Ref, to: Item, from: Item): void {
  if (to.role === "init" || to.role === "exit")
    throw plan.refuse(
      "DIFF_INIT_REFERENCE",
      `${from.name} refers to ${to.name} in ${to.section.name}, which a running kernel does not keep`,
      from,
      ref.at,
    );
}

/** A table of places inside of a function belongs to that function's code. */
function pointsInside(item: Item): boolean {
  return item.role === "rodata" && item.refs.some((ref) => isItem(ref.to) && ref.to.kind === "function" && ref.target !== ref.to.entry);
}

/** A reference that may mean a neighbour is right if the neighbours are the kernel's. */
function checkNeighbours(plan: Plan, ref: Ref, to: Item, original: Item, from: Item): void {
  const at = to.beside.indexOf(to);
  const before = original.beside.indexOf(original);
  for (const step of [-1, 1]) {
    const neighbour = to.beside[at + step];
    const twin = original.beside[before + step];
    if (neighbour === undefined && twin === undefined) continue;
    if (
      neighbour === undefined ||
      twin === undefined ||
      !plan.in.correlation.joined(twin, neighbour) ||
      neighbour.start - to.start !== twin.start - original.start
    )
      throw plan.refuse("DIFF_REFERENCE", `${from.name} refers to ${to.name}, or to something beside it that moved`, from, ref.at);
  }
}
