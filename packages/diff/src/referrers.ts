/** Who refers to what, the other way round than relocations say it. */
import { type Item, type ItemizedObject, isItem, type Ref } from "./items.ts";

export interface Use {
  by: Item;
  ref: Ref;
  /** Of `ref` among the references of `by`. */
  order: number;
}

export class Referrers {
  readonly #itemized: ItemizedObject;
  readonly #uses = new Map<Item, Use[]>();

  constructor(itemized: ItemizedObject) {
    this.#itemized = itemized;
    for (const by of itemized.items) for (let order = 0; order < by.refs.length; order++) this.#add(by, by.refs[order], order);
  }

  #add(by: Item, ref: Ref | undefined, order: number): void {
    if (ref === undefined || !isItem(ref.to)) return;
    const use = { by, ref, order };
    const list = this.#uses.get(ref.to);
    if (list === undefined) this.#uses.set(ref.to, [use]);
    else list.push(use);
  }

  /** References that relocations say. */
  of(item: Item): readonly Use[] {
    return this.#uses.get(item) ?? [];
  }

  /** Those, and the ones from the same section that the assembler resolved. */
  all(item: Item): Use[] {
    const uses = [...this.of(item)];
    if (item.kind === "function" && item.beside.length > 1)
      for (const by of item.beside)
        this.#itemized.refsOf(by).forEach((ref, order) => {
          if (ref.implied && ref.to === item) uses.push({ by, ref, order });
        });
    return uses;
  }
}
