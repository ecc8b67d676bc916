/** What takes long to count is counted no more often than the server can bear: as many times as it took, it is good. */
const REST = 20;
const LONGEST_MS = 30_000;
/** Who asks for what takes longer is given what was counted before, if that is not old. */
const LONG_MS = 300;
const OLD_MS = 300_000;

export class Rested<T> {
  readonly #work: () => PromiseLike<T>;
  readonly #rest: number;
  #made: { at: number; took: number; of: T } | undefined;
  #making: Promise<T> | undefined;

  /** @param rest so many times as it took it is good; 0: until it is asked for again, where that does not take long */
  constructor(work: () => PromiseLike<T>, rest = REST) {
    this.#work = work;
    this.#rest = rest;
  }

  /** Of many who ask at once one counts. */
  async now(): Promise<T> {
    const made = this.#made;
    const isLong = made !== undefined && made.took > LONG_MS;
    const rest = Math.min(LONGEST_MS, (isLong ? REST : this.#rest) * (made?.took ?? 0));
    if (made !== undefined && performance.now() - made.at < rest) return made.of;
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined;
    });
    if (!isLong || performance.now() - made.at > OLD_MS) return this.#making;
    this.#making.catch(() => {});
    return made.of;
  }

  async #make(): Promise<T> {
    const began = performance.now();
    const of = await this.#work();
    const at = performance.now();
    this.#made = { at, took: at - began, of };
    return of;
  }
}
