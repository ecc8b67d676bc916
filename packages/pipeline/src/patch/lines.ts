/**
 * Keeps `__LINE__` as it was: #line directives give unchanged lines the numbers that they had. Warnings, lock classes and debug messages hold
 * line numbers, so that without this every function below a change would differ.
 */
import { diffArrays } from "diff";

/** @returns the changed C text with directives; the same text if no line moved */
export function keepLineNumbers(before: string, after: string): string {
  const lines = after.split("\n");
  const safe = safeStarts(lines);
  const out: string[] = [];
  /** The number of the next line in the original, and the one that the compiler will give to the next line of `out`. */
  let number = 1;
  let counted = 1;
  let at = 0;
  for (const part of diffArrays(before.split("\n"), lines)) {
    if (part.removed) number += part.count;
    else
      for (const line of part.value) {
        if (!part.added && counted !== number && safe[at] === true) {
          out.push(`#line ${number}`);
          counted = number;
        }
        out.push(line);
        counted++;
        at++;
        if (!part.added) number++;
      }
  }
  return out.join("\n");
}

/**
 * Of each line, whether a directive may stand before it: not in a comment, not after a line that is continued, and not in parentheses, where
 * it would be among the arguments of a macro.
 */
function safeStarts(lines: readonly string[]): boolean[] {
  const safe: boolean[] = [];
  /** Parentheses that are open, and how many were where each open #if began: its branches all start from there. */
  let depth = 0;
  const branches: number[] = [];
  let comment = false;
  let continued = false;
  let directive = false;
  for (const line of lines) {
    safe.push(!comment && !continued && depth === 0);
    const word = comment || continued ? undefined : /^\s*#\s*(\w*)/.exec(line)?.[1];
    directive = word !== undefined || (directive && continued);
    if (word === "if" || word === "ifdef" || word === "ifndef") branches.push(depth);
    else if (word === "else" || word === "elif") depth = branches.at(-1) ?? depth;
    else if (word === "endif") branches.pop();
    const scanned = scan(line, comment);
    comment = scanned.comment;
    // A macro's text may open what another closes.
    if (!directive) depth = Math.max(0, depth + scanned.depth);
    continued = line.endsWith("\\");
  }
  return safe;
}

/** What a line opens and does not close. String and character constants end with their line. */
function scan(line: string, inComment: boolean): { comment: boolean; depth: number } {
  let comment = inComment;
  let depth = 0;
  let quote = "";
  for (let i = 0; i < line.length; i++) {
    const c = line[i];
    const pair = line.slice(i, i + 2);
    if (comment) {
      if (pair === "*/") {
        comment = false;
        i++;
      }
    } else if (quote !== "") {
      if (c === "\\") i++;
      else if (c === quote) quote = "";
    } else if (pair === "/*") {
      comment = true;
      i++;
    } else if (pair === "//") break;
    else if (c === '"' || c === "'") quote = c;
    else if (c === "(") depth++;
    else if (c === ")") depth--;
  }
  return { comment, depth };
}
