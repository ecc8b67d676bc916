/** Edits of one header, each of which keeps its lines: the compiler is told the same numbers. */
import type { Random } from "../edits/random.ts";

export interface HeaderEdit {
  kind: string;
  text: string;
}

/** What is found, and what is put in its place. */
const KINDS: Record<string, (text: string, random: Random) => string | undefined> = {
  body: (text, random) =>
    one(
      text,
      random,
      /^static (?:__always_)?inline [^;{}#]*\)\n\{\n(?:\t[^{}#]*;\n)*?\t(?=return\b[^\n]*;\n)/gm,
      (found) => `${found}__asm__ volatile("" ::: "memory"); `,
    ),
  macro: (text, random) =>
    one(text, random, /^#define[ \t]+[A-Z]\w+[ \t]+\d+(?=\s*$)/gm, (found) => found.replace(/\d+$/, (number) => `(${number} + 1)`)),
  "sign of a member": (text, random) => one(text, random, /^\tint(?=\s+\w+;)/gm, () => "\tunsigned int"),
  enumerator: (text, random) =>
    one(
      text,
      random,
      /^(?:typedef )?enum\b[^;{}#]*\{[^{}#]*\w(?:,\s*)?(?=\n\})/gm,
      (found) => `${found.replace(/,\s*$/, "")}, SUTURE_ADDED`,
    ),
};

function one(text: string, random: Random, what: RegExp, by: (found: string) => string): string | undefined {
  const found = random.of([...text.matchAll(what)]);
  return found === undefined ? undefined : text.slice(0, found.index) + by(found[0]) + text.slice(found.index + found[0].length);
}

export function editOf(text: string, random: Random): HeaderEdit | undefined {
  for (const [kind, make] of random.shuffled(Object.entries(KINDS))) {
    const after = make(text, random);
    if (after !== undefined) return { kind, text: after };
  }
  return undefined;
}
