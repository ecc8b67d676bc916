/** Lists of numbers as ranges of one array, and words as numbers: hundreds of thousands of each take little memory. */
import { ownText } from "../../own-text.ts";

export class Lists {
  readonly #starts: Int32Array;
  readonly #items: Int32Array;

  constructor(starts: Int32Array, items: Int32Array) {
    this.#starts = starts;
    this.#items = items;
  }

  get size(): number {
    return this.#starts.length - 1;
  }

  /** What it can be made of again. */
  get arrays(): [Int32Array, Int32Array] {
    return [this.#starts, this.#items];
  }

  of(index: number): Int32Array {
    return this.#items.subarray(this.#starts[index] ?? 0, this.#starts[index + 1] ?? 0);
  }

  /** For each of the items, which lists it is in. @param size how many items there are */
  inverted(size: number): Lists {
    const starts = new Int32Array(size + 1);
    for (const item of this.#items) starts[item + 1] = (starts[item + 1] as number) + 1;
    for (let at = 0; at < size; at++) starts[at + 1] = (starts[at + 1] as number) + (starts[at] as number);
    const next = starts.slice();
    const items = new Int32Array(this.#items.length);
    for (let list = 0; list < this.size; list++)
      for (const item of this.of(list)) {
        items[next[item] as number] = list;
        next[item] = (next[item] as number) + 1;
      }
    return new Lists(starts, items);
  }
}

export class GrowingLists {
  readonly #starts = new Growing();
  readonly #items = new Growing();

  constructor() {
    this.#starts.push(0);
  }

  add(list: Iterable<number>): void {
    for (const one of list) this.#items.push(one);
    this.#starts.push(this.#items.length);
  }

  done(): Lists {
    return new Lists(this.#starts.done(), this.#items.done());
  }
}

export class Growing {
  #items = new Int32Array(1024);
  length = 0;

  /** @returns its place */
  push(one: number): number {
    if (this.length === this.#items.length) {
      const more = new Int32Array(2 * this.length);
      more.set(this.#items);
      this.#items = more;
    }
    this.#items[this.length] = one;
    return this.length++;
  }

  done(): Int32Array {
    return this.#items.slice(0, this.length);
  }
}

export class Words {
  readonly #ids = new Map<string, number>();
  readonly #texts: string[] = [];

  /** @param texts by their numbers */
  constructor(texts: readonly string[] = []) {
    for (const text of texts) this.#ids.set(text, this.#texts.push(text) - 1);
  }

  get texts(): readonly string[] {
    return this.#texts;
  }

  idOf(word: string): number {
    const known = this.#ids.get(word);
    if (known !== undefined) return known;
    const copy = ownText(word);
    this.#ids.set(copy, this.#texts.length);
    return this.#texts.push(copy) - 1;
  }

  known(word: string): number | undefined {
    return this.#ids.get(word);
  }

  textOf(id: number): string {
    return this.#texts[id] as string;
  }

  get size(): number {
    return this.#texts.length;
  }
}
