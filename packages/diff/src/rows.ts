/** Entries of special tables that code refers to, as a warning does to its own. */
import { firstFrom } from "@suture/elf";
import { type Item, type ItemizedObject, isItem } from "./items.ts";

/** The code that an entry is about. */
export interface RowOwner {
  item: Item;
  at: number;
}

/** Undefined if no entry begins there, or one that is about nothing. */
export function ownerOf({ relocations, resolve }: ItemizedObject, { section, start }: Item): RowOwner | undefined {
  const list = relocations.get(section) ?? [];
  const first = list[firstFrom(list, start)];
  if (first === undefined || first.offset !== start) return undefined;
  const { to, target } = resolve(section, first, 0);
  return isItem(to) ? { item: to, at: target } : undefined;
}
