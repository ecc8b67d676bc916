/** Work that is done again and again, until the server ends. */
export class Chore {
  readonly #work: () => Promise<void>;
  readonly #pause: (took: number) => number;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #ended = false;

  /**
   * @param work it sees to its own failures
   * @param pause milliseconds until the next time, of how long it took
   */
  constructor(work: () => Promise<void>, pause: (took: number) => number) {
    this.#work = work;
    this.#pause = pause;
  }

  start(): void {
    this.#next(this.#pause(0));
  }

  /** When what is being done is done. */
  async end(): Promise<void> {
    this.#ended = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #next(after: number): void {
    if (this.#ended) return;
    this.#timer = setTimeout(() => {
      const began = performance.now();
      this.#running = this.#work().finally(() => this.#next(this.#pause(performance.now() - began)));
    }, after);
  }
}
