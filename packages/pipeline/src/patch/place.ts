/**
 * Where the hunks of a patch go. A hunk lies where its header says, or it has moved: then it must fit in exactly one place, and in the function
 * that its header names. All of its lines must be there exactly: a fix that is applied to code that only looks alike is no fix.
 */
import { agrees, headingAt, named } from "./heading.ts";
import { contextOf, type Hunk } from "./hunk.ts";

/** A hunk and the line (from 0) of the old text that it goes to. */
export interface Placed {
  hunk: Hunk;
  at: number;
  /** By how many lines it has moved. */
  moved: number;
}

export interface Misplaced {
  /** Index of the hunk that fits nowhere, or in several places. */
  hunk: number;
  why: string;
  mend?: string;
}

/** The lines of a text with their newlines. */
export function linesOf(text: string): string[] {
  return text === "" ? [] : text.split(/(?<=\n)/);
}

export function placeHunks(lines: readonly string[], hunks: readonly Hunk[]): Placed[] | Misplaced {
  const placed: Placed[] = [];
  let shift = 0;
  for (const [i, hunk] of hunks.entries()) {
    const found = placeOf(lines, hunk, {
      consistent: hunk.newStart - hunk.oldStart === shift + emptySide(hunk),
      unmoved: placed.every(({ moved }) => moved === 0),
    });
    if ("why" in found) return { hunk: i, ...found };
    const before = placed.at(-1);
    if (before !== undefined && found.at < before.at + before.hunk.old.length)
      return { hunk: i, why: `fits at line ${found.at + 1} only, which is before the end of the hunk before it` };
    placed.push({ hunk, ...found });
    shift += hunk.new.length - hunk.old.length;
  }
  return placed;
}

/** An empty side is counted from the line before it. */
function emptySide({ old, new: now }: Hunk): number {
  return (old.length === 0 ? 1 : 0) - (now.length === 0 ? 1 : 0);
}

/**
 * @param consistent its header's two numbers differ by what the hunks before it add, so that git and patch look in the same place first
 * @param unmoved no hunk before it has moved
 */
function placeOf(
  lines: readonly string[],
  hunk: Hunk,
  { consistent, unmoved }: { consistent: boolean; unmoved: boolean },
): Omit<Placed, "hunk"> | Omit<Misplaced, "hunk"> {
  const wanted = hunk.old.length === 0 ? hunk.oldStart : hunk.oldStart - 1;
  const context = contextOf(hunk);
  if (hunk.old.length === 0 && lines.length > 0)
    return {
      why: "has no context: nothing shows that it belongs there",
      mend: "Make the patch with three lines of context: diff -u, git diff -U3.",
    };
  const all = placesOf(lines, hunk.old);
  if (all.includes(wanted) && (all.length === 1 || (consistent && unmoved))) return { at: wanted, moved: 0 };
  const where = (at: number): string => {
    const name = named(headingAt(lines, at + context.before) ?? "");
    return name === undefined ? `${at + 1}` : `${at + 1} (${name})`;
  };
  const [at] = all;
  if (at === undefined) return { why: "does not apply", ...(whiteSpace(lines, hunk) ?? {}) };
  if (all.length > 1) return { why: `has moved, and fits in ${all.length} places: lines ${all.map(where).join(", ")}`, mend: MEND_MOVED };
  if ((context.after === 0 && at + hunk.old.length !== lines.length) || (hunk.oldStart <= 1 && at !== 0))
    return {
      why: `was at the ${context.after === 0 ? "end" : "beginning"} of the file, and fits at line ${at + 1}, which is not`,
      mend: MEND_MOVED,
    };
  if (!agrees(hunk.heading, lines, at))
    return {
      why: `has moved, and fits at line ${where(at)} only, but its header names ${named(hunk.heading) ?? hunk.heading}`,
      mend: MEND_MOVED,
    };
  return { at, moved: at - wanted };
}

const MEND_MOVED = "Make the patch anew against exactly this source, where its lines have their own numbers.";

function placesOf(lines: readonly string[], old: readonly string[]): number[] {
  const found: number[] = [];
  for (let at = lines.indexOf(old[0] ?? ""); at >= 0; at = lines.indexOf(old[0] ?? "", at + 1))
    if (old.every((line, i) => lines[at + i] === line)) found.push(at);
  return old.length === 0 ? [0] : found;
}

/** Whether it would fit if blanks did not count: mailers make spaces of tabs. */
function whiteSpace(lines: readonly string[], { old }: Hunk): { why: string; mend: string } | undefined {
  const plain = (line: string): string => line.replace(/\s+/g, " ").trim();
  const [at] = placesOf(lines.map(plain), old.map(plain));
  if (at === undefined) return undefined;
  return {
    why: `does not apply: its lines are at line ${at + 1}, but with other white space`,
    mend: "A mailer or an editor has changed tabs or spaces: take the patch from the list's archive, or git format-patch.",
  };
}
