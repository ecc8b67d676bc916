/** What takes long to count is counted no more often than the server can bear: as many times as it took, it is good. */
const REST = 20;
const LONGEST_MS = 30_000;

export class Rested<T> {
  readonly #work: () => PromiseLike<T>;
  #made: { at: number; took: number; of: T } | undefined;
  #making: Promise<T> | undefined;

  constructor(work: () => PromiseLike<T>) {
    this.#work = work;
  }

  /** Of many who ask at once one counts. */
  async now(): Promise<T> {
    const made = this.#made;
    if (made !== undefined && performance.now() - made.at < Math.min(LONGEST_MS, REST * made.took)) return made.of;
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  async #make(): Promise<T> {
    const began = performance.now();
    const of = await this.#work();
    const at = performance.now();
    this.#made = { at, took: at - began, of };
    return of;
  }
}
