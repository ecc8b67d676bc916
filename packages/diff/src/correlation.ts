/** Which item of the original is which of the patched object. */
import { bytesOf, type Item, sizeOf } from "./items.ts";

export class Correlation {
  readonly #forward = new Map<Item, Item>();
  readonly #backward = new Map<Item, Item>();

  join(original: Item, patched: Item): void {
    this.#forward.set(original, patched);
    this.#backward.set(patched, original);
  }

  separate(original: Item, patched: Item): void {
    this.#forward.delete(original);
    this.#backward.delete(patched);
  }

  /** The patched twin of an original item. */
  patched(original: Item): Item | undefined {
    return this.#forward.get(original);
  }

  /** The original twin of a patched item. */
  original(patched: Item): Item | undefined {
    return this.#backward.get(patched);
  }

  joined(original: Item, patched: Item): boolean {
    return this.#forward.get(original) === patched;
  }
}

export function group(items: readonly Item[], key: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const name = key(item);
    const list = groups.get(name);
    if (list === undefined) groups.set(name, [item]);
    else list.push(item);
  }
  return groups;
}

export function equalBytes(a: Item, b: Item): boolean {
  return sizeOf(a) === sizeOf(b) && Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
}
