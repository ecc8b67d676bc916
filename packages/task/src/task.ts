/**
 * What a long-running command is to the code that does its work: it can be cancelled, it reports its stages, and what must be undone is
 * undone however it ends.
 */
import { fail } from "./errors.ts";

/** One stage as it runs. */
export interface Stage {
  /** What is being done right now, in a few words. Shown live on a terminal, and in a pipe when the stage takes long. */
  note(text: string): void;
  /** How far: both in `unit` ("bytes", "objects"). The reporter works out the time left. */
  progress(done: number, total: number, unit: string): void;
  /** What the stage did, for its line when it ends. */
  result(text: string): void;
}

/** Where stages and commands are shown. `depth` 0 is a stage of the command itself. */
export interface Reporter {
  begin(name: string, depth: number): Stage & { end(outcome: "done" | "failed", ms: number): void };
  /** A command line that was run, for --verbose. */
  command(line: string, ms: number): void;
  /** A line of its own that the user must see. */
  warn(text: string): void;
  /** A line of its own that the user asked for. */
  tell(text: string): void;
}

export const silentReporter: Reporter = {
  begin: () => ({ note() {}, progress() {}, result() {}, end() {} }),
  command() {},
  warn() {},
  tell() {},
};

export class Task {
  readonly signal: AbortSignal;
  readonly reporter: Reporter;
  /** Stages that ended, in order, with their milliseconds. */
  readonly timings: { name: string; depth: number; ms: number }[];
  readonly #depth: number;

  /** @param of which this one is a part: its timings are those of the whole */
  constructor(reporter: Reporter = silentReporter, signal: AbortSignal = new AbortController().signal, of?: Task) {
    this.reporter = reporter;
    this.signal = signal;
    this.timings = of?.timings ?? [];
    this.#depth = 0;
  }

  /** Runs `work` as a named stage. Stages that run side by side may overlap. */
  async stage<T>(name: string, work: (stage: Stage) => Promise<T>): Promise<T> {
    this.check();
    const stage = this.reporter.begin(name, this.#depth);
    const started = performance.now();
    let outcome: "done" | "failed" = "failed";
    try {
      const value = await work(stage);
      outcome = "done";
      return value;
    } finally {
      const ms = performance.now() - started;
      this.timings.push({ name, depth: this.#depth, ms });
      stage.end(outcome, ms);
    }
  }

  /**
   * Does works side by side. The first that fails ends the others, and is thrown when all have ended: none still writes somewhere.
   */
  async together<T extends readonly unknown[]>(works: { [K in keyof T]: (task: Task) => Promise<T[K]> }): Promise<T> {
    const others = new AbortController();
    const task = new Task(this.reporter, AbortSignal.any([this.signal, others.signal]), this);
    let failed: { reason: unknown } | undefined;
    const values = await Promise.all(
      works.map((work) =>
        // Not called at once: what it throws is to be caught here.
        Promise.resolve()
          .then(() => work(task))
          .catch((reason: unknown) => {
            failed ??= { reason };
            others.abort();
            return undefined;
          }),
      ),
    );
    if (failed !== undefined) throw failed.reason;
    return values as unknown as T;
  }

  /**
   * Between the rounds of a loop that waits for nothing: timers and signals have their turn, so that the run can be shown and cancelled.
   * @throws CANCELLED
   */
  async pause(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.check();
  }

  /** Throws CANCELLED when the run was cancelled. Call it between steps that do not wait for anything. */
  check(): void {
    if (this.signal.aborted) throw fail("CANCELLED", "the run was cancelled");
  }
}
