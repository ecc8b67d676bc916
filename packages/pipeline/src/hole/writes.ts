/** What the fix's source does to a new member where it uses it. */
import { argumentsOf, callsAround, endOfExpression, skipBack, skipOn, startOfOperand } from "../shadow/text.ts";
import { arrowAt } from "../shadow/uses.ts";

/**
 * Undefined: it is only read there. Otherwise the value that it is given, or "" where it may be given any: by its address, by `+=` and the like, or in a
 * way that the text alone does not show.
 * @param at where the compiler misses the member
 */
export function givenTo(text: string, mask: string, at: number, name: string): string | undefined {
  const arrow = arrowAt(mask, at, name);
  if (arrow === undefined) return "";
  const begin = startOfOperand(mask, arrow);
  if (begin === undefined) return "";
  const end = skipOn(mask, arrow + (mask[arrow] === "-" ? 2 : 1)) + name.length;
  const [around] = callsAround(mask, begin);
  if (around !== undefined && /^(?:READ|WRITE)_ONCE$|^smp_(?:load_acquire|store_release)$/.test(around.name)) {
    const [first, second] = argumentsOf(mask, around);
    const isPlace = first !== undefined && first.start <= begin && end <= first.end;
    if (isPlace) return second === undefined ? undefined : text.slice(second.start, second.end);
  }
  const before = skipBack(mask, begin);
  const two = mask.slice(before - 2, before);
  if (two === "++" || two === "--") return "";
  if (mask[before - 1] === "&" && two !== "&&" && !/[\w)\]]/.test(mask[skipBack(mask, before - 1) - 1] ?? "")) return "";
  const next = skipOn(mask, end);
  if (/^(?:\+\+|--|(?:<<|>>|[-+*/%&|^])=)/.test(mask.slice(next, next + 3))) return "";
  if (!/^=(?!=)/.test(mask.slice(next, next + 2))) return undefined;
  const from = skipOn(mask, next + 1);
  const stop = endOfExpression(mask, from);
  return stop === undefined ? "" : text.slice(from, skipBack(mask, stop));
}

/** Whether a value is 0, by what is written there. */
export function isZero(value: string): boolean {
  return /^(?:0[xX]?0*[uUlL]*|false|NULL|\(\s*(?:0|NULL)\s*\))$/.test(value.trim());
}
