/** Patches + the kernel's source → the new text of each file that they change. Nothing is written. */
import { readFile } from "node:fs/promises";
import { isAbsolute, join, normalize } from "node:path";
import { applyPatch } from "diff";
import { fail } from "../errors.ts";
import type { FileChange, SourcePatch } from "./read.ts";

/** A file of the source as it was and as it becomes. Text is latin1: one character a byte. */
export interface ChangedFile {
  /** Path in the source tree. */
  path: string;
  /** Undefined for a new file. */
  before: string | undefined;
  after: string;
}

/** Applies patches one after the other. @throws PATCH_DOES_NOT_APPLY, PATCH_CONFLICT, PATCH_UNREADABLE */
export async function applyPatches(tree: string, patches: readonly SourcePatch[]): Promise<ChangedFile[]> {
  const files = new Map<string, ChangedFile>();
  const changedBy = new Map<string, string[]>();
  for (const patch of patches)
    for (const change of patch.changes) {
      const path = await pathOf(tree, change, files);
      const known = files.get(path) ?? { path, before: await textOf(tree, path), after: "" };
      const current = files.has(path) ? known.after : known.before;
      const earlier = changedBy.get(path) ?? [];
      checkConflict(known.before, current, change, path, earlier);
      files.set(path, { ...known, after: applyTo(current, change, path) });
      changedBy.set(path, [...earlier, patch.name]);
    }
  return [...files.values()].filter((file) => file.before !== file.after).sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The path that the patch means: with its first part taken off (-p1), or as it is (-p0), whichever is there. */
async function pathOf(tree: string, change: FileChange, files: ReadonlyMap<string, ChangedFile>): Promise<string> {
  const isNew = change.oldName === undefined;
  const written = change.newName ?? change.oldName ?? "";
  const candidates = [written.split("/").slice(1).join("/"), written];
  for (const candidate of candidates) {
    const path = normalize(candidate);
    if (candidate === "" || isAbsolute(path) || path.startsWith("..")) continue;
    if (files.has(path) || (await textOf(tree, path)) !== undefined) return path;
  }
  if (isNew) {
    const path = normalize(/^[ab]\//.test(written) ? written.slice(2) : written);
    if (!isAbsolute(path) && !path.startsWith("..")) return path;
  }
  throw fail("PATCH_DOES_NOT_APPLY", `${written} is not in the source of this kernel`, { file: change.from });
}

async function textOf(tree: string, path: string): Promise<string | undefined> {
  try {
    return await readFile(join(tree, path), "latin1");
  } catch {
    // Not a file of this source: the caller says what that means.
    return undefined;
  }
}

/** Hunks may have moved by lines, but their context must be there exactly: a fix that is applied to code that only looks alike is no fix. */
function applyTo(current: string | undefined, change: FileChange, path: string): string {
  const where = { file: change.from };
  if (change.oldName === undefined) {
    if (current !== undefined) throw fail("PATCH_DOES_NOT_APPLY", `it makes ${path}, which is there already`, where);
    const text = applyPatch("", change.patch);
    if (text === false) throw fail("PATCH_UNREADABLE", `what it puts into the new file ${path} is not well formed`, where);
    return text;
  }
  const text = applyPatch(current ?? "", change.patch);
  if (text !== false) return text;
  throw fail("PATCH_DOES_NOT_APPLY", `${path}: ${firstBadHunk(current ?? "", change)}`, where);
}

/**
 * A hunk that the kernel's own source would take, and that with the earlier patches does not.
 * @throws PATCH_CONFLICT
 */
function checkConflict(
  before: string | undefined,
  current: string | undefined,
  change: FileChange,
  path: string,
  earlier: readonly string[],
): void {
  if (earlier.length === 0 || before === undefined || current === undefined || change.oldName === undefined) return;
  if (applyPatch(current, change.patch) !== false) return;
  const { hunks } = change.patch;
  const alone = (text: string, hunk: (typeof hunks)[number]): boolean => applyPatch(text, { ...change.patch, hunks: [hunk] }) !== false;
  const at = hunks.findIndex((hunk) => alone(before, hunk) && !alone(current, hunk));
  const hunk = hunks[at];
  if (hunk === undefined) return;
  const name = functionAt(
    before,
    hunk.oldStart +
      Math.max(
        0,
        hunk.lines.findIndex((line) => !line.startsWith(" ")),
      ),
  );
  throw fail(
    "PATCH_CONFLICT",
    `${path}: hunk ${at + 1} of ${hunks.length}${name === undefined ? "" : `, in ${name},`} meets what ${earlier.join(" and ")} changed there`,
    { file: change.from, ...(name === undefined ? {} : { symbol: name }) },
  );
}

/** The function that a line of C is in, by its form: the last line before that begins with a name and has parameters. */
function functionAt(text: string, line: number): string | undefined {
  const head = text
    .split("\n")
    .slice(0, line)
    .findLast((each) => /^[A-Za-z_][^;]*\w\s*\([^;]*$/.test(each) || each.startsWith("}"));
  const [, name] = /(\w+)\s*\(/.exec(head ?? "") ?? [];
  return name;
}

/** Which hunk is at fault: the first that the file does not take when only those up to it are applied. */
function firstBadHunk(current: string, { patch }: FileChange): string {
  const { hunks } = patch;
  const at = hunks.findIndex((_, i) => applyPatch(current, { ...patch, hunks: hunks.slice(0, i + 1) }) === false);
  const hunk = hunks[Math.max(at, 0)];
  const reversed = applyPatch(current, {
    ...patch,
    hunks: hunks.map((h) => ({
      oldStart: h.newStart,
      oldLines: h.newLines,
      newStart: h.oldStart,
      newLines: h.oldLines,
      lines: h.lines.map((line) => (line.startsWith("+") ? `-${line.slice(1)}` : line.startsWith("-") ? `+${line.slice(1)}` : line)),
    })),
  });
  const place = `hunk ${Math.max(at, 0) + 1} of ${hunks.length} (line ${hunk?.oldStart ?? 0}) does not apply`;
  return reversed === false ? place : `${place}: this source has the change already`;
}
