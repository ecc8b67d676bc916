/** One line of JSON for each edit, appended as it is done. */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
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

  /** @param again forget those whose class, kind or id this is */
  constructor(path: string, again: readonly string[]) {
    this.#path = path;
    const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
    for (const line of lines.filter((text) => text.endsWith("}"))) {
      const result = JSON.parse(line) as Result;
      if (!again.some((word) => [result.class, result.kind, result.id, result.code].includes(word))) this.#known.set(result.id, result);
    }
    writeFileSync(path, [...this.#known.values()].map((result) => `${JSON.stringify(result)}\n`).join(""));
  }

  get(id: string): Result | undefined {
    return this.#known.get(id);
  }

  add(result: Result): void {
    this.#known.set(result.id, result);
    appendFileSync(this.#path, `${JSON.stringify(result)}\n`);
  }
}
