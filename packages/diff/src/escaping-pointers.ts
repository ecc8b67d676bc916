/**
 * What a livepatch may leave behind: addresses of what lives in its module, made by its code for others than functions that only read. Whether
 * anyone keeps one, relocations do not tell; who takes the livepatch out should know.
 */
import { destinationOf } from "./destinations.ts";
import { bytesOf, type Item, isItem, type Ref, sizeOf } from "./items.ts";
import { isLiteral, isString, textOfString } from "./literals.ts";
import { stem } from "./names.ts";
import { copies, onlyReads } from "./non-retaining-functions.ts";
import type { Plan } from "./plan.ts";

export interface EscapingPointer {
  /** The function whose code makes the pointer. */
  function: string;
  kind: "string" | "function" | "variable";
  /** Of a string, what it holds. */
  name: string;
}

/** Of carried code, in order. */
export function handedBy(plan: Plan): EscapingPointer[] {
  const handed: EscapingPointer[] = [];
  for (const item of plan.in.patched.itemized.items)
    if (item.kind === "function" && plan.carried.has(item)) handed.push(...handedByFunction(plan, item));
  return handed;
}

function handedByFunction(plan: Plan, item: Item): EscapingPointer[] {
  const refs = new Map(plan.in.patched.itemized.refsOf(item).map((ref) => [ref.at, ref]));
  const own = [...refs.values()].filter((ref) => !ref.branch && isOwn(plan, ref, item));
  if (own.length === 0) return [];
  const pointers = new Map(item.arch.code.pointersIn(bytesOf(item)).map((use) => [use.at, use.argumentOf]));
  const found = new Map<string, EscapingPointer>();
  for (const ref of own) {
    const { to } = ref;
    if (!isItem(to)) continue;
    // What is read out of a table may be one of the pointers in it.
    if (!pointers.has(ref.at) && !holdsPointers(plan, to)) continue;
    const call = refs.get(pointers.get(ref.at) ?? -1);
    if (call !== undefined && (onlyReads(call.to.name) || (copies(call.to.name) && !holdsPointers(plan, to)))) continue;
    const one = { function: item.name, ...describe(to) };
    found.set(`${one.kind} ${one.name}`, one);
  }
  return [...found.values()];
}

/** Something of the livepatch's module that a C programmer can name. Functions that replace the kernel's are known by those. */
function isOwn(plan: Plan, ref: Ref, from: Item): boolean {
  const { to } = ref;
  if (!isItem(to) || to === from || !("carried" in destinationOf(plan, ref, from, false))) return false;
  if (to.kind === "function") return plan.in.correlation.original(to) === undefined && ref.target === to.entry;
  // Nobody keeps a pointer to constants and tables that the compiler made.
  if (to.kind === "element") return isString(to);
  return to.kind === "object" && sizeOf(to) > 0 && stem(to.name) !== "CSWTCH";
}

function holdsPointers(plan: Plan, item: Item): boolean {
  return item.refs.some((ref) => !ref.branch && isOwn(plan, ref, item));
}

export function describe(item: Item): Pick<EscapingPointer, "kind" | "name"> {
  if (item.kind === "function") return { kind: "function", name: item.name };
  if (!isLiteral(item)) return { kind: "variable", name: item.name };
  return { kind: "string", name: textOfString(item) };
}
