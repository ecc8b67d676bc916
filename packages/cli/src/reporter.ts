/**
 * Stages and warnings on stderr: a live line for each running stage on a terminal; in a pipe a plain line for each ended one, and for one that takes
 * long, again and again, where it is.
 */
import type { Reporter, Stage } from "@suture/task";
import { bytesText, timeText } from "./text.ts";

/** What the reporter needs of a stream. */
export interface Screen {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  rows?: number | undefined;
}

export interface ReporterOptions {
  /** Show every command that is run. */
  verbose: boolean;
  colour: boolean;
}

/** Milliseconds between two drawings of the live lines. */
const REDRAW = 100;
const NAME_WIDTH = 12;
const RESULT_WIDTH = 36;
const LINE_WIDTH = 200;
const EARLIEST_ESTIMATE = 1000;
/** Milliseconds after which a stage says where it is: in a pipe nobody waits for longer than ten seconds. */
const SPEAK = 8_500;
/** So often it is looked whether one has to. */
const LOOK = 1_000;

interface Running {
  name: string;
  depth: number;
  started: number;
  /** When there was last a line about it. */
  said: number;
  note: string;
  progress: { done: number; total: number; unit: string; since: number; from: number } | undefined;
}

export class ScreenReporter implements Reporter {
  readonly #screen: Screen;
  readonly #options: ReporterOptions;
  readonly #live: boolean;
  readonly #running = new Set<Running>();
  #drawn = 0;
  #lastDrawing = 0;
  #timer: NodeJS.Timeout | undefined;
  #look: NodeJS.Timeout | undefined;

  constructor(screen: Screen, options: ReporterOptions) {
    this.#screen = screen;
    this.#options = options;
    this.#live = screen.isTTY === true;
  }

  begin(name: string, depth: number): Stage & { end(outcome: "done" | "failed", ms: number): void } {
    const now = performance.now();
    const stage: Running = { name, depth, started: now, said: now, note: "", progress: undefined };
    let result = "";
    this.#running.add(stage);
    this.#look ??= setInterval(() => this.#show(), LOOK).unref();
    this.#show();
    return {
      note: (text) => {
        stage.note = text;
        this.#show();
      },
      progress: (done, total, unit) => {
        const before = stage.progress;
        const again = before?.unit === unit && done >= before.done;
        stage.progress = { done, total, unit, since: again ? before.since : performance.now(), from: again ? before.from : done };
        this.#show();
      },
      result: (text) => {
        result = text;
      },
      end: (outcome, ms) => {
        this.#running.delete(stage);
        if (this.#running.size === 0) this.#rest();
        this.#line(endedLine(stage, outcome === "failed" ? "failed" : result, ms));
      },
    };
  }

  command(line: string, ms: number): void {
    if (this.#options.verbose) this.#line(`    $ ${line}   ${timeText(ms)}`);
  }

  warn(text: string): void {
    this.#line(`${this.#options.colour ? "\u001b[33mwarning\u001b[0m" : "warning"}: ${text}`);
  }

  tell(text: string): void {
    this.#line(text);
  }

  /** Takes the live lines off the screen. Nothing is drawn after it until a stage begins. */
  close(): void {
    this.#rest();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#erase();
  }

  #rest(): void {
    clearInterval(this.#look);
    this.#look = undefined;
  }

  /** Called by the work itself, too: what keeps the processor for itself lets no timer run. */
  #show(): void {
    if (this.#live) {
      this.#draw();
      return;
    }
    const now = performance.now();
    for (const stage of this.#running) {
      if (now - stage.said < SPEAK) continue;
      stage.said = now;
      this.#line(
        cut([`${indent(stage)}${`${stage.name} ...`.padEnd(NAME_WIDTH)}`, ...whereText(stage), spentText(stage)].join("   "), LINE_WIDTH),
      );
    }
  }

  #line(text: string): void {
    this.#erase();
    this.#screen.write(`${text}\n`);
    this.#draw(true);
  }

  /** Draws now or, when it was just done, soon. */
  #draw(now = false): void {
    if (!this.#live) return;
    const wait = this.#lastDrawing + REDRAW - performance.now();
    if (!now && wait > 0) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#draw(true);
      }, wait).unref();
      return;
    }
    this.#erase();
    this.#lastDrawing = performance.now();
    const columns = this.#screen.columns ?? 80;
    const lines = [...this.#running]
      .slice(-Math.max(1, (this.#screen.rows ?? 24) - 2))
      .map((stage) => cut(runningLine(stage), columns - 1));
    if (lines.length > 0) this.#screen.write(`${lines.join("\n")}\n`);
    this.#drawn = lines.length;
  }

  #erase(): void {
    if (this.#drawn > 0) this.#screen.write(`\u001b[${this.#drawn}A\u001b[J`);
    this.#drawn = 0;
  }
}

function endedLine(stage: Running, result: string, ms: number): string {
  return `${indent(stage)}${stage.name.padEnd(NAME_WIDTH)}   ${result.padEnd(RESULT_WIDTH)}   ${timeText(ms)}`;
}

function runningLine(stage: Running): string {
  // A time that grows shows that it goes on, where there is nothing to count.
  const spent = stage.progress === undefined && performance.now() - stage.started > SPEAK ? [spentText(stage)] : [];
  return [indent(stage) + stage.name.padEnd(NAME_WIDTH), ...whereText(stage), ...spent].join("   ");
}

function whereText({ progress, note }: Running): string[] {
  return [...(progress === undefined ? [] : [progressText(progress)]), ...(note === "" ? [] : [note])];
}

function spentText({ started }: Running): string {
  return `${timeText(Math.round((performance.now() - started) / 1000) * 1000)} so far`;
}

function progressText({ done, total, unit, since, from }: NonNullable<Running["progress"]>): string {
  const counted = unit === "bytes" ? `${bytesText(done)} of ${bytesText(total)}` : `${done} of ${total} ${unit}`;
  const percent = total > 0 ? `, ${Math.floor((100 * Math.min(done, total)) / total)} %` : "";
  const spent = performance.now() - since;
  if (spent < EARLIEST_ESTIMATE || done <= from || done >= total) return counted + percent;
  return `${counted}${percent}, ${timeText(Math.ceil((spent * (total - done)) / (done - from) / 1000) * 1000)} left`;
}

function indent(stage: Running): string {
  return "  ".repeat(stage.depth + 1);
}

function cut(line: string, columns: number): string {
  const oneLine = line.replace(/\s*\n\s*/g, " ");
  return oneLine.length <= columns ? oneLine : `${oneLine.slice(0, Math.max(0, columns - 1))}…`;
}
