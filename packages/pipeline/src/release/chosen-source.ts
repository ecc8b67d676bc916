/** The source with any choice of units: of each file that units change, its text with theirs. */
import { keepLineNumbers } from "../patch/lines.ts";
import { hunksBetween } from "./difference.ts";
import { diffText, type Plan } from "./units.ts";
import type { Weave } from "./weave.ts";

export interface ChangedFile {
  path: string;
  before: string | undefined;
  after: string;
}

interface Text {
  /** The units that are in it. */
  key: string;
  /** With the lines that stay where they were, for the compiler. */
  text: string | undefined;
  plain: string | undefined;
}

export class ChosenSource {
  readonly #files: ReadonlyMap<string, Weave>;
  readonly #base = new Map<string, string | undefined>();
  readonly #paths: readonly string[];
  /** The newest of each path. */
  readonly #texts = new Map<string, Text>();

  /** @param units of these a choice is made: files of others are as they were */
  constructor({ files }: Plan, units: ReadonlySet<number>) {
    this.#files = files;
    for (const [path, weave] of files) this.#base.set(path, weave.textOf(new Set()));
    this.#paths = [...files].flatMap(([path, weave]) => (weave.units.some((unit) => units.has(unit)) ? [path] : [])).sort();
  }

  get paths(): readonly string[] {
    return this.#paths;
  }

  /** Of all files that units change: with no unit in, one is there as it was. */
  overlay(units: ReadonlySet<number>): Map<string, string> {
    const overlay = new Map<string, string>();
    for (const path of this.#paths) {
      const { text } = this.#textOf(path, units);
      if (text !== undefined) overlay.set(path, text);
    }
    return overlay;
  }

  changed(units: ReadonlySet<number>): ChangedFile[] {
    return this.#paths.flatMap((path) => {
      const before = this.#base.get(path);
      const after = this.#textOf(path, units).plain;
      return after === undefined || after === before ? [] : [{ path, before, after }];
    });
  }

  /** Units that change a file. */
  unitsOf(path: string): readonly number[] {
    return this.#files.get(path)?.units ?? [];
  }

  /** All that is in, as one patch of the kernel's source. */
  patchText(units: ReadonlySet<number>): string {
    return this.changed(units)
      .map(({ path, before, after }) => diffText(path, before?.split(/(?<=\n)/), hunksBetween(before ?? "", after)))
      .join("");
  }

  #textOf(path: string, units: ReadonlySet<number>): Text {
    const weave = this.#files.get(path);
    const own = this.unitsOf(path).filter((unit) => units.has(unit));
    const key = own.join(" ");
    const known = this.#texts.get(path);
    if (known?.key === key) return known;
    const before = this.#base.get(path);
    const plain = weave?.textOf(new Set(own));
    const text = before === undefined || plain === undefined || !/\.[ch]$/.test(path) ? plain : keepLineNumbers(before, plain);
    const found = { key, text, plain };
    this.#texts.set(path, found);
    return found;
  }
}
