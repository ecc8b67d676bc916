/**
 * Paths in which the kernel's build can work. make divides at spaces and colons, its recipes are run by a shell without quotes, and gcc divides
 * what it hands on at commas: such a character cannot be quoted for all of them.
 */

const ODD = /[^\p{L}\p{M}\p{N}/._+@~-]/u;

/** The first character of a path that it cannot have, as words; undefined where it has none. */
export function oddIn(path: string): string | undefined {
  const [character] = ODD.exec(path) ?? [];
  if (character === undefined) return undefined;
  if (character === " ") return "a space";
  return /[\p{C}\p{Z}\uFFFD]/u.test(character)
    ? `the character U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}`
    : `the character ${character}`;
}
