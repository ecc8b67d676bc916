/** What a pass refuses: it goes on behind each, so that all of an object is told at once. */
import { SutureError } from "@suture/errors";

export class Refusals {
  readonly #found: SutureError[] = [];

  /** Does a part of a pass that the others do not depend on. */
  attempt(part: () => void): void {
    try {
      part();
    } catch (error) {
      this.add(error);
    }
  }

  /** @throws what is no refusal */
  add(error: unknown): void {
    if (!(error instanceof SutureError)) throw error;
    this.#found.push(error);
  }

  /** @throws the first, with the others */
  check(): void {
    const [first, ...others] = this.#found;
    if (first !== undefined) throw others.length === 0 ? first : first.with(others);
  }
}
