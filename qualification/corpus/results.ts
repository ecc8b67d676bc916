/** One line of JSON for each fix, appended as it is done. */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";

export interface Result {
  name: string;
  class: string;
  /** "built" is for those that were not tried; then what the trial gave, or "refused"/"failed" with the code. */
  outcome: string;
  code?: string | undefined;
  why?: string | undefined;
  buildMs: number;
  /** Functions replaced, as OBJECT:FUNCTION. */
  functions: string[];
  skipped: string[];
  /** Modules that the fix is for, and whether each could be loaded in the guest. */
  modules: { name: string; loaded?: boolean }[];
  transitionMs?: number | undefined;
}

export class Results {
  readonly #path: string;
  readonly #known = new Map<string, Result>();

  /** @param again forget these */
  constructor(path: string, again: readonly string[]) {
    this.#path = path;
    const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
    for (const line of lines.filter((text) => text.endsWith("}"))) {
      const result = JSON.parse(line) as Result;
      if (!again.includes(result.name)) this.#known.set(result.name, result);
    }
    writeFileSync(path, [...this.#known.values()].map((result) => `${JSON.stringify(result)}\n`).join(""));
  }

  get(name: string): Result | undefined {
    return this.#known.get(name);
  }

  add(result: Result): void {
    this.#known.set(result.name, result);
    appendFileSync(this.#path, `${JSON.stringify(result)}\n`);
  }
}
