/** The words of the command line, the same for all runs. */
import { parseArgs } from "node:util";

export interface Word {
  /** What a value is called; without, it is a flag. */
  value?: string;
  what: string;
  /** Unless given. */
  is?: string;
  /** With --short, unless given. */
  short?: string;
}

/** Words that runs have in common: what each writes of them is what is special. */
export const COMMON = {
  kernel: { value: "RELEASE", what: "as uname -r says it" },
  sample: { value: "N", what: "so many, chosen by the seed" },
  seed: { value: "N", what: "other numbers choose otherwise", is: "1" },
  limit: { value: "N", what: "so many at most" },
} as const satisfies Record<string, Word>;

const ALWAYS: Record<string, Word> = {
  out: { value: "DIR", what: "where results are kept; a folder of the cache unless given" },
  only: { value: "REGEX", what: "those whose name fits" },
  again: { value: "WORD,...", what: "do those again whose name, outcome or code it is, or all" },
  short: { what: "the short form: shows in minutes that the run works, and starts anew with each commit" },
  help: { what: "this page" },
};

export class WrongUse extends Error {}

export class Options {
  /** As they were given. */
  readonly given: Record<string, string | boolean>;
  readonly #words: Record<string, Word>;

  private constructor(given: Record<string, string | boolean>, words: Record<string, Word>) {
    this.given = given;
    this.#words = words;
  }

  /** @throws WrongUse */
  static of({ words: own }: { words: Record<string, Word> }, args: readonly string[]): Options {
    const words = { ...own, ...ALWAYS };
    const options = Object.fromEntries(
      Object.entries(words).map(([name, { value }]) => [name, { type: value === undefined ? ("boolean" as const) : ("string" as const) }]),
    );
    try {
      const { values } = parseArgs({ args: [...args], options });
      const given = Object.entries(values).flatMap(([name, value]): [string, string | boolean][] =>
        value === undefined ? [] : [[name, value]],
      );
      for (const [name, value] of given)
        if (words[name]?.value === "N" && !/^\d+$/.test(String(value))) throw new WrongUse(`--${name} takes a number, not ${value}`);
      return new Options(Object.fromEntries(given), words);
    } catch (error) {
      if (error instanceof TypeError) throw new WrongUse(error.message);
      throw error;
    }
  }

  text(name: string): string | undefined {
    const word = this.#words[name];
    if (word === undefined) return undefined;
    const given = this.given[name];
    if (typeof given === "string") return given;
    return (this.flag("short") ? word.short : undefined) ?? word.is;
  }

  number(name: string): number {
    const text = this.text(name);
    return text === undefined ? Number.POSITIVE_INFINITY : Number(text);
  }

  flag(name: string): boolean {
    return this.given[name] === true;
  }

  list(name: string): string[] {
    return this.text(name)?.split(",") ?? [];
  }
}

export function helpOf({ name, what, words }: { name: string; what: string; words: Record<string, Word> }): string {
  const rows = Object.entries({ ...words, ...ALWAYS }).map(([word, { value, what: about, is, short }]) => {
    const numbers = [...(is === undefined ? [] : [`${is} unless given`]), ...(short === undefined ? [] : [`with --short ${short}`])];
    return `  ${`--${word}${value === undefined ? "" : ` ${value}`}`.padEnd(20)} ${about}${numbers.length === 0 ? "" : ` (${numbers.join("; ")})`}`;
  });
  return `npm run qualify -- ${name} [options]\n\n${what}\n\n${rows.join("\n")}\n`;
}
