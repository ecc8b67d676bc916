/** What code does with the places that its references name. Each function is decoded once. */
import type { Access } from "@suture/arch";
import { bytesOf, type Item, isItem, type Ref } from "./items.ts";

const decoded = new WeakMap<Item, ReadonlyMap<number, Access>>();

/** Of a reference of code; a pointer if it cannot be read. */
export function accessOf(by: Item, ref: Ref): Access {
  let accesses = decoded.get(by);
  if (accesses === undefined) {
    accesses = by.arch.code.accessesIn(bytesOf(by));
    decoded.set(by, accesses);
  }
  return accesses.get(ref.at) ?? "pointer";
}

const ends = new WeakMap<Item, ReadonlyMap<number, number>>();

/**
 * The byte of the item that a reference of code names, from the item's start. An operand beside an immediate is counted from the end of the
 * instruction, which the relocation alone does not tell.
 */
export function byteOf(by: Item, ref: Ref): number {
  let known = ends.get(by);
  if (known === undefined) {
    known = by.arch.code.operandEnds(bytesOf(by));
    ends.set(by, known);
  }
  const toEnd = known.get(ref.at);
  return toEnd === undefined ? ref.target : ref.addend + toEnd;
}

/** Whether the function does that to the variable: an item of its object, or another object's by name. */
export function does(access: Access, by: Item, to: Item | string): boolean {
  return by.refs.some((ref) => (isItem(ref.to) ? ref.to === to : ref.to.name === to) && accessOf(by, ref) === access);
}
