/** What a run claims, one thing after the other. */
import type { Found } from "./run.ts";

/** Says what did not hold. */
export class Claims {
  readonly #wrong: string[] = [];

  holds(what: string, is: boolean, found?: unknown): void {
    if (!is) this.#wrong.push(found === undefined ? what : `${what}: ${JSON.stringify(found)}`);
  }

  get found(): Found {
    const [first] = this.#wrong;
    return first === undefined ? { good: true, outcome: "passed" } : { good: false, outcome: "failed", why: this.#wrong.join("; ") };
  }
}
