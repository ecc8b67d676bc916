/**
 * All that units do to one file, woven together: each line knows which unit brought it and which one took it away. The text of any choice of units is
 * then read off, and what a unit stands on is seen: the lines that it takes away or stands beside.
 */

export interface WovenLine {
  text: string;
  /** The unit that brought it; undefined for one of the file as it was. */
  by: number | undefined;
  /** The unit that took it away. */
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
  readonly #lines: WovenLine[];
  #units: readonly number[] | undefined;
  /** Whether the file was there before. */
  readonly existed: boolean;

  constructor(lines: readonly string[], existed = true) {
    this.#lines = lines.map((text) => ({ text, by: undefined, gone: undefined }));
    this.existed = existed;
  }

  /** Those that change the file, in order. */
  get units(): readonly number[] {
    this.#units ??= [...new Set(this.#lines.flatMap(({ by, gone }) => [by, gone]))]
      .filter((unit) => unit !== undefined)
      .sort((a, b) => a - b);
    return this.#units;
  }

  /** With all units that were woven in. */
  get current(): string[] {
    return this.#lines.filter(({ gone }) => gone === undefined).map(({ text }) => text);
  }

  /** @returns undefined where the file is not there with these units */
  textOf(units: ReadonlySet<number>): string | undefined {
    const lines = this.#lines.filter(({ by, gone }) => (by === undefined || units.has(by)) && (gone === undefined || !units.has(gone)));
    if (lines.length === 0 && !this.existed) return undefined;
    return lines.map(({ text }) => text).join("");
  }

  /**
   * Edits of one unit, in the order of their lines.
   * @returns the units whose lines they take away or stand beside
   */
  weave(unit: number, edits: readonly Edit[]): Set<number> {
    this.#units = undefined;
    const needs = new Set<number>();
    const need = (line: WovenLine | undefined): void => {
      for (const other of [line?.by, line?.gone]) if (other !== undefined && other !== unit) needs.add(other);
    };
    for (const { at, remove, insert } of [...edits].sort((a, b) => b.at - a.at)) {
      let from = this.#indexOf(at);
      // Behind what went before it, so that what takes the place of lines comes after them.
      let left = remove;
      need(this.#lines[from - 1]);
      for (; left > 0; from++) {
        const line = this.#lines[from] as WovenLine;
        need(line);
        if (line.gone !== undefined) continue;
        line.gone = unit;
        left--;
      }
      need(this.#lines[from]);
      this.#lines.splice(from, 0, ...insert.map((text) => ({ text, by: unit, gone: undefined })));
    }
    return needs;
  }

  /** The same with lines of the file as it was, of units that share none. */
  weaveOriginal(unit: number, edits: readonly Edit[]): void {
    this.#units = undefined;
    for (const { at, remove, insert } of edits) {
      let index = this.#originalIndex(at);
      for (let left = remove; left > 0; index++) {
        const line = this.#lines[index] as WovenLine;
        if (line.by !== undefined) continue;
        line.gone = unit;
        left--;
      }
      this.#lines.splice(index, 0, ...insert.map((text) => ({ text, by: unit, gone: undefined })));
    }
  }

  #originalIndex(at: number): number {
    let seen = 0;
    for (const [index, { by }] of this.#lines.entries()) {
      if (by !== undefined) continue;
      if (seen === at) return index;
      seen++;
    }
    return this.#lines.length;
  }

  /** The index of the `at`-th line that is there; behind the last line that is there for one past the end. */
  #indexOf(at: number): number {
    let seen = 0;
    for (const [index, { gone }] of this.#lines.entries()) {
      if (gone !== undefined) continue;
      if (seen === at) return index;
      seen++;
    }
    return this.#lines.length;
  }
}
