/** One hunk of a unified diff. Text is latin1, one character a byte; lines of a file have their newline, and the last one of a file may have none. */

export interface Hunk {
  /** Where its header stands in the patch file, for people. */
  at: string;
  oldStart: number;
  newStart: number;
  /** What stands behind the second @@: the function that the change is in, as the tool that made the patch saw it. */
  heading: string;
  /** With their marks, without newlines: " ", "+", "-". */
  lines: string[];
  /** What must be there, and what takes its place. */
  old: string[];
  new: string[];
}

const HEADER = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$/;

/** Like a hunk's header, but damaged, or of another form. */
const NEARLY = /^\W{0,4}\s*-?\d+,\d+ +\+\d+(?:,\d+)? *@?|^@{1,2} *-\d|^@@@+ -|^\W{0,4}-\d+ \+\d+,?\d* @@/;

export function isHunkHeader(line: string): boolean {
  return HEADER.test(line);
}

/** Whether a line that is no header of a hunk looks as if it had been one. */
export function isNearlyHeader(line: string): boolean {
  return NEARLY.test(line);
}

export interface Faulty {
  /** Index of the line at fault. */
  line: number;
  why: string;
}

/**
 * Reads the hunk whose header is `lines[from]`.
 * @param placeOf how people find a line
 * @returns the hunk and the index of the line behind it, or what is wrong
 */
export function readHunk(lines: readonly string[], from: number, placeOf: (line: number) => string): { hunk: Hunk; next: number } | Faulty {
  const [, oldStart = "", oldCount = "1", newStart = "", newCount = "1", heading = ""] = HEADER.exec(lines[from] ?? "") ?? [];
  const left = { old: Number(oldCount), new: Number(newCount) };
  const hunk: Hunk = {
    at: placeOf(from),
    oldStart: Number(oldStart),
    newStart: Number(newStart),
    heading: heading.trim(),
    lines: [],
    old: [],
    new: [],
  };
  let at = from + 1;
  let sides: string[][] = [];
  for (; left.old > 0 || left.new > 0 || lines[at]?.startsWith("\\ "); at++) {
    const line = lines[at];
    // The last newline of a text makes one more line of nothing.
    if (line === undefined || (line === "" && at === lines.length - 1))
      return { line: from, why: `the hunk ends early: its header says ${left.old} more old and ${left.new} more new lines` };
    if (line.startsWith("\\ ")) {
      if (sides.length === 0) return { line: at, why: `"${line}" is not behind a line of the hunk` };
      for (const side of sides) side[side.length - 1] = side.at(-1)?.replace(/\n$/, "") ?? "";
      sides = [];
      continue;
    }
    // An empty line is one of context whose space was lost on the way; git and patch read it so, too.
    const mark = line === "" ? " " : line[0];
    if (mark === " ") sides = [hunk.old, hunk.new];
    else if (mark === "-") sides = [hunk.old];
    else if (mark === "+") sides = [hunk.new];
    else
      return {
        line: at,
        why: `"${line.slice(0, 60)}" is no line of a hunk, whose header says ${left.old} more old and ${left.new} more new lines`,
      };
    if (sides.includes(hunk.old)) left.old--;
    if (sides.includes(hunk.new)) left.new--;
    if (left.old < 0 || left.new < 0) return { line: at, why: "the hunk has other counts of lines than its header says" };
    for (const side of sides) side.push(`${line.slice(1)}\n`);
    hunk.lines.push(line === "" ? " " : line);
  }
  if (!hunk.lines.some((line) => !line.startsWith(" "))) return { line: from, why: "the hunk changes nothing" };
  const early = [hunk.old, hunk.new].some((side) => side.slice(0, -1).some((line) => !line.endsWith("\n")));
  return early ? { line: from, why: "a line without a newline is not the last of the hunk" } : { hunk, next: at };
}

/** How many lines of context it begins and ends with. */
export function contextOf({ lines }: Hunk): { before: number; after: number } {
  const before = lines.findIndex((line) => !line.startsWith(" "));
  const after = lines.length - 1 - lines.findLastIndex((line) => !line.startsWith(" "));
  return { before, after };
}
