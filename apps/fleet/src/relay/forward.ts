/** Reports from the spool to the server, in the order in which they came, many at a time. */
import { setTimeout as sleep } from "node:timers/promises";
import { fleetAnswer, type ReportOutcome, reportsAnswerSchema, type SignedReport } from "@suture/protocol";
import type { Logger } from "pino";
import type { Spool, Spooled } from "./spool.ts";

const MOST = 500;
const MOST_BYTES = 2 * 1024 * 1024;
const PATIENCE_MS = 30_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/** How the server took what was sent last. */
export interface Forwarding {
  forwarded: number;
  dropped: number;
  /** Undefined: it has answered. */
  away: string | undefined;
}

type Sent = readonly ReportOutcome[] | "too much";

export class Forwarder {
  readonly state: Forwarding = { forwarded: 0, dropped: 0, away: undefined };
  readonly #spool: Spool;
  readonly #url: URL;
  readonly #log: Logger;
  readonly #waiting = new Map<number, (outcome: ReportOutcome) => void>();
  readonly #told: (report: SignedReport, outcome: ReportOutcome) => void;
  readonly #ending = new AbortController();
  #wake: (() => void) | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(spool: Spool, server: string, told: (report: SignedReport, outcome: ReportOutcome) => void, log: Logger) {
    this.#spool = spool;
    this.#url = new URL("v1/reports", server.endsWith("/") ? server : `${server}/`);
    this.#told = told;
    this.#log = log;
  }

  start(): void {
    this.#running = this.#run();
  }

  async end(): Promise<void> {
    this.#ending.abort();
    this.#wake?.();
    await this.#running;
  }

  /** There is something in the spool. */
  look(): void {
    this.#wake?.();
  }

  /** What the server says of it. @returns undefined where it has not said anything by then */
  outcome(n: number, patience: number): Promise<ReportOutcome | undefined> {
    return new Promise((done) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(n);
        done(undefined);
      }, patience);
      this.#waiting.set(n, (outcome) => {
        clearTimeout(timer);
        done(outcome);
      });
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    let pause = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      try {
        const { reports, taken } = await this.#spool.oldest(MOST, MOST_BYTES);
        if (reports.length === 0) {
          await this.#rest();
          continue;
        }
        const count = await this.#send(reports);
        await taken(count);
        pause = FIRST_PAUSE_MS;
        if (this.state.away !== undefined) this.#log.info("the server answers again");
        this.state.away = undefined;
      } catch (error) {
        if (signal.aborted) return;
        const why = error instanceof Error ? error.message : String(error);
        if (this.state.away === undefined) this.#log.warn({ err: error }, "the server does not take reports; they are kept");
        this.state.away = why;
        await sleep(pause * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => {});
        pause = Math.min(LONGEST_PAUSE_MS, pause * 2);
      }
    }
  }

  #rest(): Promise<void> {
    return new Promise((done) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        done();
      };
      const timer = setTimeout(wake, 1000);
      this.#wake = wake;
    });
  }

  /** @returns of how many, from the first on, the server has said something */
  async #send(reports: readonly Spooled[]): Promise<number> {
    const answer = await this.#ask(reports.map(({ report }) => report));
    if (answer !== "too much") {
      reports.forEach(({ n, report }, i) => {
        const outcome = answer[i] ?? "wrong";
        this.#told(report, outcome);
        this.#waiting.get(n)?.(outcome);
        this.#waiting.delete(n);
      });
      this.state.forwarded += reports.length;
      return reports.length;
    }
    // One of them is what the server does not take at all: which?
    if (reports.length > 1) return this.#send(reports.slice(0, reports.length >> 1));
    const [one] = reports;
    this.#log.warn({ host: one?.report.host }, "the server does not take a report in this form; it is dropped");
    this.state.dropped += 1;
    if (one !== undefined) this.#waiting.get(one.n)?.("wrong");
    return 1;
  }

  async #ask(reports: readonly SignedReport[]): Promise<Sent> {
    const response = await fetch(this.#url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ reports }),
      redirect: "error",
      signal: AbortSignal.any([this.#ending.signal, AbortSignal.timeout(PATIENCE_MS)]),
    });
    const found = fleetAnswer(reportsAnswerSchema, response.status, await response.text());
    if ("good" in found && found.good.outcomes.length === reports.length) return found.good.outcomes;
    // A web server in front takes less at once than this server does: of one alone it is no word of the server.
    if (response.status === 413 && reports.length > 1) return "too much";
    if ("refused" in found && found.refused.code === "FLEET_REQUEST") return "too much";
    throw new Error("refused" in found ? `${found.refused.code}: ${found.refused.why}` : `it answers ${response.status}`);
  }
}
