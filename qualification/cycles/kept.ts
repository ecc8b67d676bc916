/** What earlier runs did is not done again: cycles are kept as they come, a line for each look at the guest. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { Cycle, TransitionTimes } from "./report.ts";

export type PhaseName = "idle" | "loaded";

export interface Batch {
  phase: PhaseName;
  /** When the guest was booted: memory is compared within one run. */
  run: string;
  cycles: Cycle[];
  times: TransitionTimes;
  /** What the kernel reported meanwhile. */
  events: string[];
}

export class Kept {
  readonly #file: string;
  readonly #batches: Batch[];

  constructor(file: string) {
    this.#file = file;
    this.#batches = (existsSync(file) ? readFileSync(file, "utf8").split("\n") : [])
      .filter((line) => line.endsWith("}"))
      .map((line) => JSON.parse(line) as Batch);
  }

  add(batch: Batch): void {
    this.#batches.push(batch);
    appendFileSync(this.#file, `${JSON.stringify(batch)}\n`);
  }

  cycles(phase: PhaseName, run?: string): Cycle[] {
    return this.#of(phase, run).flatMap(({ cycles }) => cycles);
  }

  times(phase: PhaseName): TransitionTimes {
    const batches = this.#of(phase, undefined);
    return { patching: batches.flatMap(({ times }) => times.patching), unpatching: batches.flatMap(({ times }) => times.unpatching) };
  }

  /** Of all runs: one that was interrupted has shown its own to nobody. */
  events(phase: PhaseName): string[] {
    return this.#of(phase, undefined).flatMap(({ events }) => events);
  }

  runs(phase: PhaseName): number {
    return new Set(this.#of(phase, undefined).map(({ run }) => run)).size;
  }

  #of(phase: PhaseName, run: string | undefined): Batch[] {
    return this.#batches.filter((batch) => batch.phase === phase && (run === undefined || batch.run === run));
  }
}
