/** Which lines of a C text begin in the middle of a comment: what a part of it says depends on that. */

const SPANS = /\/\*[\s\S]*?(?:\*\/|(?![\s\S]))|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g;

/** @returns lines from 0, among them the one that would follow the last */
export function linesInComment(text: string): Set<number> {
  const found = new Set<number>();
  let [at, line] = [0, 0];
  const passTo = (end: number, inside: boolean): void => {
    for (let next = text.indexOf("\n", at); next >= 0 && next < end; next = text.indexOf("\n", at)) {
      line++;
      at = next + 1;
      if (inside) found.add(line);
    }
    at = end;
  };
  for (const { 0: span, index } of text.matchAll(SPANS)) {
    passTo(index, false);
    passTo(index + span.length, span.startsWith("/*"));
  }
  return found;
}

/** Lines without comments. @param inComment whether the first begins in the middle of one */
export function codeOf(lines: readonly string[], inComment: boolean): string {
  return `${inComment ? "/*" : ""}${lines.join("")}`.replace(SPANS, (span) => (span.startsWith("/") ? " " : span));
}

const TOKENS = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\w+|\+\+|--|->|&&|\|\||<<|>>|[-+*/%&|^<>=!]=|\S/g;

/** Whether two codes without comments differ in blanks at most. */
export function sameTokens(one: string, other: string): boolean {
  return (one.match(TOKENS) ?? []).join(" ") === (other.match(TOKENS) ?? []).join(" ");
}
