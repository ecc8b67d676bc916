/** What code does with the places that its references name. Each function is decoded once. */
import { type Access, accessesIn } from "./instructions.ts";
import { bytesOf, type Item, isItem, type Ref } from "./items.ts";

const decoded = new WeakMap<Item, ReadonlyMap<number, Access>>();

/** Of a reference of code; a pointer if it cannot be read. */
export function accessOf(by: Item, ref: Ref): Access {
  let accesses = decoded.get(by);
  if (accesses === undefined) {
    accesses = accessesIn(bytesOf(by));
    decoded.set(by, accesses);
  }
  return accesses.get(ref.at) ?? "pointer";
}

/** Whether the function does that to the variable: an item of its object, or another object's by name. */
export function does(access: Access, by: Item, to: Item | string): boolean {
  return by.refs.some((ref) => (isItem(ref.to) ? ref.to === to : ref.to.name === to) && accessOf(by, ref) === access);
}
