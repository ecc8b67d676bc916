/** One line of JSON for each edit, appended as it is done. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { Verdict } from "./edit.ts";
import type { Judged } from "./judge.ts";

export interface Result extends Judged {
  /** Names its patch, too. */
  id: string;
  kind: string;
  family: string;
  verdict: Verdict;
  path: string;
  what: string;
  ms: number;
  /** Under a workload: what came out, if it was tried. */
  tried?: string;
  triedWhy?: string;
}

export class Results {
  readonly #path: string;
  readonly #known = new Map<string, Result>();
  /** Those that are to be done again. */
  readonly again: readonly Result[];

  /** @param again do those again whose class, code, kind, family or id this is */
  constructor(path: string, again: readonly string[]) {
    this.#path = path;
    const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
    // Of one that was done again the last line counts.
    const last = new Map(
      lines
        .filter((text) => text.endsWith("}"))
        .map((text) => JSON.parse(text) as Result)
        .map((result) => [result.id, result]),
    );
    const forgotten: Result[] = [];
    for (const result of last.values())
      if (again.some((word) => [result.class, result.kind, result.family, result.id, result.code].includes(word))) forgotten.push(result);
      else this.#known.set(result.id, result);
    this.again = forgotten;
  }

  get all(): Result[] {
    return [...this.#known.values()];
  }

  get(id: string): Result | undefined {
    return this.#known.get(id);
  }

  add(result: Result): void {
    this.#known.set(result.id, result);
    appendFileSync(this.#path, `${JSON.stringify(result)}\n`);
  }
}
