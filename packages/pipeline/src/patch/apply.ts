/** Patches + the kernel's source → the new text of each file that they change. Nothing is written. */
import { readFile, stat } from "node:fs/promises";
import { dirname, isAbsolute, join, normalize } from "node:path";
import type { Stage } from "@suture/task";
import { fail } from "../errors.ts";
import type { FileChange } from "./change.ts";
import { headingAt, named } from "./heading.ts";
import { contextOf, type Hunk } from "./hunk.ts";
import { linesOf, type Misplaced, type Placed, placeHunks } from "./place.ts";
import type { SourcePatch } from "./read.ts";

/** A file of the source as it was and as it becomes. Text is latin1: one character a byte. */
export interface ChangedFile {
  /** Path in the source tree. */
  path: string;
  /** Undefined for a new file. */
  before: string | undefined;
  after: string;
}

/** Something that was done otherwise than the patch says, or not at all. */
export interface PatchNote {
  /** The file of the source, or the patch. */
  object: string;
  text: string;
}

export interface Applied {
  files: ChangedFile[];
  notes: PatchNote[];
}

/**
 * Applies patches one after the other.
 * @param isNoCode whether no kernel is made of a file: such a one may also be deleted or renamed
 * @param stage is told how far it is
 * @throws PATCH_DOES_NOT_APPLY, PATCH_CONFLICT, PATCH_UNREADABLE
 */
export async function applyPatches(
  tree: string,
  patches: readonly SourcePatch[],
  isNoCode: (path: string) => boolean = () => false,
  stage?: Stage,
): Promise<Applied> {
  const files = new Map<string, ChangedFile>();
  const changedBy = new Map<string, string[]>();
  const notes: PatchNote[] = [];
  for (const [done, patch] of patches.entries()) {
    stage?.note(patch.name);
    stage?.progress(done, patches.length, "patches");
    notes.push(...patch.notes.map((text) => ({ object: patch.name, text })));
    for (const change of patch.changes) {
      if (change.cannot !== undefined) {
        notes.push(leftOut(change, change.cannot, isNoCode));
        continue;
      }
      const path = await pathOf(tree, change, files);
      const known = files.get(path) ?? { path, before: await textOf(tree, path), after: "" };
      const current = files.has(path) ? known.after : known.before;
      const earlier = changedBy.get(path) ?? [];
      const { text, moved } = applyTo(current, change, path, { before: known.before, earlier });
      files.set(path, { ...known, after: text });
      notes.push(...moved.map((each) => ({ object: path, text: each })));
      changedBy.set(path, [...earlier, patch.name]);
    }
  }
  const changed = [...files.values()].filter((file) => file.before !== file.after);
  stage?.result(changed.length === 1 ? (changed[0]?.path ?? "") : `${changed.length} files`);
  return { files: changed.sort((a, b) => (a.path < b.path ? -1 : 1)), notes };
}

/** @throws PATCH_UNREADABLE */
function leftOut({ oldName, newName, at, from }: FileChange, cannot: string, isNoCode: (path: string) => boolean): PatchNote {
  const names = [...new Set([oldName, newName].flatMap((name) => (name === undefined ? [] : [name.replace(/^[ab]\//, "")])))];
  if (names.length === 0 || !names.every(isNoCode))
    throw fail(
      "PATCH_UNREADABLE",
      `${at}: it ${cannot}: ${names.join(", ")}`,
      { file: from },
      {
        mend: "A livepatch replaces functions of C files that stay. Take that file out of the patch if the fix works without it; otherwise boot a fixed kernel.",
      },
    );
  return { object: names[0] ?? from, text: `left out: the patch ${cannot} that no kernel is made of` };
}

/** The file that a patch means: its name with the first part taken off (-p1), or as it is (-p0), whichever is there. */
async function pathOf(tree: string, change: FileChange, files: ReadonlyMap<string, ChangedFile>): Promise<string> {
  const { oldName, newName, indexName, from, at } = change;
  const names = [...new Set([newName, oldName, indexName].filter((name) => name !== undefined))];
  const isThere = async (path: string): Promise<boolean> => files.has(path) || (await textOf(tree, path)) !== undefined;
  const found = new Set<string>();
  for (const name of names) {
    const [first] = await filterAsync(candidatesOf(name), isThere);
    if (/^[ab]\//.test(name)) {
      if (first !== undefined) found.add(first);
    } else for (const path of await filterAsync(candidatesOf(name), isThere)) found.add(path);
  }
  const [path, ...others] = found;
  if (path !== undefined && others.length === 0) return path;
  if (path !== undefined)
    throw fail(
      "PATCH_DOES_NOT_APPLY",
      `${at}: it may mean ${[path, ...others].join(" or ")}`,
      { file: from },
      {
        mend: "Make the patch with git diff, which writes a/ and b/ before its names.",
      },
    );
  const written = names[0] ?? "";
  if (mayBeNew(change)) {
    const candidates = candidatesOf(written);
    const [inFolder] = /^[ab]\//.test(written) ? [] : await filterAsync(candidates, (each) => isFolder(join(tree, dirname(each))));
    const made = inFolder ?? candidates[0];
    if (made !== undefined) return made;
  }
  throw fail("PATCH_DOES_NOT_APPLY", `${at}: ${written} is not in the source of this kernel`, { file: from });
}

/** Paths in the source that a name may mean; none where it leads out of it. */
function candidatesOf(name: string): string[] {
  if (isAbsolute(name)) return [];
  return [name.split("/").slice(1).join("/"), name]
    .filter((each) => each !== "")
    .map((each) => normalize(each))
    .filter((each) => !each.startsWith(".."));
}

function mayBeNew({ oldName, hunks }: FileChange): boolean {
  return oldName === undefined || (hunks.length === 1 && hunks[0]?.old.length === 0 && hunks[0].oldStart === 0);
}

async function filterAsync<T>(items: readonly T[], keep: (item: T) => Promise<boolean>): Promise<T[]> {
  const kept = await Promise.all(items.map(keep));
  return items.filter((_, i) => kept[i]);
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/** What a name that is no file's is answered with. */
const NO_FILE: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "EISDIR", "ENAMETOOLONG", "ERR_INVALID_ARG_VALUE"]);

async function textOf(tree: string, path: string): Promise<string | undefined> {
  try {
    return await readFile(join(tree, path), "latin1");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    // Not a file of this source: the caller says what that means.
    if (code !== undefined && NO_FILE.has(String(code))) return undefined;
    throw fail(
      "SOURCE_TREE",
      `a file of the source cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      { file: path },
      { cause: error },
    );
  }
}

function applyTo(
  current: string | undefined,
  change: FileChange,
  path: string,
  { before, earlier }: { before: string | undefined; earlier: readonly string[] },
): { text: string; moved: string[] } {
  const where = { file: change.from };
  const { hunks, at } = change;
  if (current === undefined || change.oldName === undefined) {
    if (current !== undefined && current !== "")
      throw fail("PATCH_DOES_NOT_APPLY", `${at}: it makes ${path}, which is there already`, where);
    if (hunks.length > 1 || hunks.some(({ old }) => old.length > 0))
      throw fail("PATCH_UNREADABLE", `${at}: what it puts into the new file ${path} is not well formed`, where);
    return { text: hunks.flatMap((hunk) => hunk.new).join(""), moved: [] };
  }
  const lines = linesOf(current);
  const placed = placeHunks(lines, hunks);
  if (!("why" in placed)) return { text: replaced(lines, placed), moved: movedNotes(placed, path) };
  checkConflict(before, lines, change, { path, earlier });
  const { hunk, why, mend } = faultOf(lines, hunks, placed);
  const place = `${path}: hunk ${hunk + 1} of ${hunks.length} (line ${hunks[hunk]?.oldStart ?? 0}; ${hunks[hunk]?.at ?? at} of the patch) ${why}`;
  throw fail("PATCH_DOES_NOT_APPLY", place, where, mend === undefined ? {} : { mend });
}

function replaced(lines: readonly string[], placed: readonly Placed[]): string {
  const out: string[] = [];
  let done = 0;
  for (const { hunk, at } of placed) {
    out.push(...lines.slice(done, at), ...hunk.new);
    done = at + hunk.old.length;
  }
  return [...out, ...lines.slice(done)].join("");
}

/** A note for each row of hunks that have moved by the same number of lines. */
function movedNotes(placed: readonly Placed[], path: string): string[] {
  const notes: string[] = [];
  for (let from = 0, to = 0; from < placed.length; from = to) {
    const moved = placed[from]?.moved ?? 0;
    while (to < placed.length && placed[to]?.moved === moved) to++;
    if (moved === 0) continue;
    const which = to === from + 1 ? `hunk ${to}` : `hunks ${from + 1} to ${to}`;
    const lines = Math.abs(moved) === 1 ? "line" : "lines";
    notes.push(`${which} of ${path} went in ${Math.abs(moved)} ${lines} further ${moved > 0 ? "down" : "up"}`);
  }
  return notes;
}

/** What to say of the hunk at fault: perhaps the source has what the patch brings. */
function faultOf(lines: readonly string[], hunks: readonly Hunk[], fault: Misplaced): Misplaced {
  const reversed = hunks.map((hunk) => ({ ...hunk, oldStart: hunk.newStart, newStart: hunk.oldStart, old: hunk.new, new: hunk.old }));
  if (hunks.some((hunk) => hunk.new.length === 0) || "why" in placeHunks(lines, reversed)) return fault;
  return { hunk: fault.hunk, why: `${fault.why}: this source has the change already` };
}

/**
 * A hunk that the kernel's own source would take, and that with the earlier patches does not.
 * @throws PATCH_CONFLICT
 */
function checkConflict(
  before: string | undefined,
  current: readonly string[],
  { hunks, from }: FileChange,
  { path, earlier }: { path: string; earlier: readonly string[] },
): void {
  if (earlier.length === 0 || before === undefined) return;
  const original = linesOf(before);
  const fits = (lines: readonly string[], hunk: Hunk): Placed | undefined => {
    const placed = placeHunks(lines, [hunk]);
    return "why" in placed ? undefined : placed[0];
  };
  for (const [i, hunk] of hunks.entries()) {
    const placed = fits(original, hunk);
    if (placed === undefined || fits(current, hunk) !== undefined) continue;
    const name = named(headingAt(original, placed.at + contextOf(hunk).before) ?? "");
    throw fail(
      "PATCH_CONFLICT",
      `${path}: hunk ${i + 1} of ${hunks.length}${name === undefined ? "" : `, in ${name},`} meets what ${earlier.join(" and ")} changed there`,
      { file: from, ...(name === undefined ? {} : { symbol: name }) },
    );
  }
}
