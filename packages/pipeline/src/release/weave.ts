/**
 * All that units do to one file, woven together: each line knows which unit brought it and which one took it away. The text of any choice of units is
 * then read off, and what a unit stands on is seen: the lines that it takes away or stands beside.
 */
import { ownText } from "../own-text.ts";
import { linesOf } from "../patch/place.ts";

/** Lines that follow each other, of one fate: most of a file is one run. */
interface Run {
  text: string;
  lines: number;
  /** The unit that brought them; undefined for those of the file as it was. */
  by: number | undefined;
  /** The unit that took them away. */
  gone: number | undefined;
}

export interface Edit {
  /** Line of the text as it is with all units so far, from 0. */
  at: number;
  /** How many of its lines go. */
  remove: number;
  insert: readonly string[];
}

/** Lines have their newlines. */
export class Weave {
  readonly #runs: Run[];
  #units: readonly number[] | undefined;
  /** Whether the file was there before. */
  readonly existed: boolean;

  constructor(lines: readonly string[], existed = true) {
    this.#runs = runOf(lines, undefined);
    this.existed = existed;
  }

  /** Those that change the file, in order. */
  get units(): readonly number[] {
    this.#units ??= [...new Set(this.#runs.flatMap(({ by, gone }) => [by, gone]))]
      .filter((unit) => unit !== undefined)
      .sort((a, b) => a - b);
    return this.#units;
  }

  /** With all units that were woven in. */
  get current(): string[] {
    return this.#runs.flatMap(({ text, gone }) => (gone === undefined ? linesOf(text) : []));
  }

  /** @returns undefined where the file is not there with these units */
  textOf(units: ReadonlySet<number>): string | undefined {
    const runs = this.#runs.filter(({ by, gone }) => (by === undefined || units.has(by)) && (gone === undefined || !units.has(gone)));
    if (runs.length === 0 && !this.existed) return undefined;
    return runs.map(({ text }) => text).join("");
  }

  /**
   * Edits of one unit, in the order of their lines.
   * @returns the units whose lines they take away or stand beside
   */
  weave(unit: number, edits: readonly Edit[]): Set<number> {
    const needs = new Set<number>();
    const need = (run: Run | undefined): void => {
      for (const other of [run?.by, run?.gone]) if (other !== undefined && other !== unit) needs.add(other);
    };
    for (const { at, remove, insert } of [...edits].sort((a, b) => b.at - a.at)) {
      const from = this.#startOf(at, ({ gone }) => gone === undefined);
      need(this.#runs[from - 1]);
      const behind = this.#edit(unit, from, { remove, insert, isThere: ({ gone }) => gone === undefined, seen: need });
      need(this.#runs[behind]);
    }
    return needs;
  }

  /** The same with lines of the file as it was, of units that share none. */
  weaveOriginal(unit: number, edits: readonly Edit[]): void {
    const isThere = ({ by }: Run): boolean => by === undefined;
    for (const { at, remove, insert } of edits)
      this.#edit(unit, this.#startOf(at, isThere), { remove, insert, isThere, seen: () => undefined });
  }

  /** @returns the index of the run behind what is inserted */
  #edit(
    unit: number,
    from: number,
    edit: { remove: number; insert: readonly string[]; isThere: (run: Run) => boolean; seen: (run: Run) => void },
  ): number {
    this.#units = undefined;
    let at = from;
    // Behind what went before it, so that what takes the place of lines comes after them.
    for (let left = edit.remove; left > 0; at++) {
      const run = this.#runs[at] as Run;
      edit.seen(run);
      if (!edit.isThere(run)) continue;
      if (run.lines > left) this.#split(at, left);
      const gone = this.#runs[at] as Run;
      gone.gone = unit;
      left -= gone.lines;
    }
    const inserted = runOf(edit.insert, unit);
    this.#runs.splice(at, 0, ...inserted);
    return at + inserted.length;
  }

  /** The index of the run that begins with the `at`-th line of those that are there; behind the last run for one past the end. */
  #startOf(at: number, isThere: (run: Run) => boolean): number {
    let seen = 0;
    for (const [index, run] of this.#runs.entries()) {
      if (!isThere(run)) continue;
      if (seen === at) return index;
      if (at - seen < run.lines) {
        this.#split(index, at - seen);
        return index + 1;
      }
      seen += run.lines;
    }
    return this.#runs.length;
  }

  #split(index: number, lines: number): void {
    const run = this.#runs[index] as Run;
    const all = linesOf(run.text);
    const part = (from: number, to: number): Run => ({ ...run, text: textOf(all.slice(from, to)), lines: to - from });
    this.#runs.splice(index, 1, part(0, lines), part(lines, run.lines));
  }
}

function runOf(lines: readonly string[], by: number | undefined): Run[] {
  return lines.length === 0 ? [] : [{ text: textOf(lines), lines: lines.length, by, gone: undefined }];
}

/** Joining a single line gives that line, which is cut out of a file's text. */
function textOf(lines: readonly string[]): string {
  return ownText(lines.join(""));
}
