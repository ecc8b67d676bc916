/** What differs between the sources of two releases: paths first, by diff; then, of what a kernel is made of, the lines. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { keepJson, readKept, sha256 } from "@suture/files";
import type { ReleaseSource } from "@suture/sources";
import { run, type Task } from "@suture/task";
import { diffArrays } from "diff";
import * as v from "valibot";
import { fail } from "../errors.ts";
import { linesOf } from "../patch/place.ts";

export interface ChangedPath {
  path: string;
  /** Whether the older and the newer release have it. */
  before: boolean;
  after: boolean;
}

const PATHS: v.GenericSchema<ChangedPath[]> = v.array(v.object({ path: v.string(), before: v.boolean(), after: v.boolean() }));

/** To be raised with every change to what is kept. */
const VERSION = 1;

/** Kept: both sources are what they are for ever. */
export async function changedPaths(task: Task, own: ReleaseSource, newer: ReleaseSource, cache: string): Promise<ChangedPath[]> {
  const key = sha256(JSON.stringify(["difference", VERSION, own.sha256, newer.sha256])).slice(0, 32);
  const kept = join(cache, "release", `${key}.json`);
  const known = await readKept(kept, PATHS);
  if (known !== undefined) return known;
  return task.stage("difference", async (stage) => {
    stage.note(`${own.version} and ${newer.version}`);
    const argv = ["env", "LC_ALL=C", "diff", "-rqN", "--no-dereference", own.path, newer.path];
    const { stdout } = await run(task, argv, { cwd: "/", accept: [1] });
    const paths: ChangedPath[] = [];
    for (const line of stdout.split("\n")) {
      if (line === "") continue;
      const path = pathIn(line, own.path, newer.path);
      const [before, after] = await Promise.all([textIn(own.path, path), textIn(newer.path, path)]);
      paths.push({ path, before: before !== undefined, after: after !== undefined });
    }
    paths.sort((a, b) => (a.path < b.path ? -1 : 1));
    await keepJson(task, kept, paths);
    stage.result(`${paths.length} files`);
    return paths;
  });
}

/** `Files A/path and B/path differ` @throws SOURCE_TREE */
function pathIn(line: string, own: string, newer: string): string {
  const start = `Files ${own}/`;
  for (let at = line.indexOf(" and "); line.startsWith(start) && at >= 0; at = line.indexOf(" and ", at + 1)) {
    const path = line.slice(start.length, at);
    if (line === `${start}${path} and ${newer}/${path} differ`) return path;
  }
  throw fail("SOURCE_TREE", `diff says of two sources: ${line}`, { file: newer });
}

/** As latin1. Undefined where there is no such file. @throws SOURCE_TREE */
export async function textIn(folder: string, path: string): Promise<string | undefined> {
  try {
    return await readFile(join(folder, path), "latin1");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR" || error.code === "EISDIR"))
      return undefined;
    throw fail("SOURCE_TREE", `a file of the source cannot be read: ${String(error)}`, { file: join(folder, path) }, { cause: error });
  }
}

/** A row of lines that differs. Numbers are of lines, from 0. */
export interface LineHunk {
  oldStart: number;
  newStart: number;
  old: readonly string[];
  now: readonly string[];
}

export function hunksBetween(before: string, after: string): LineHunk[] {
  const hunks: LineHunk[] = [];
  let oldAt = 0;
  let newAt = 0;
  let open: { oldStart: number; newStart: number; old: string[]; now: string[] } | undefined;
  for (const part of diffArrays(linesOf(before), linesOf(after))) {
    if (!part.added && !part.removed) {
      if (open !== undefined) hunks.push(open);
      open = undefined;
      oldAt += part.count;
      newAt += part.count;
      continue;
    }
    open ??= { oldStart: oldAt, newStart: newAt, old: [], now: [] };
    if (part.added) {
      open.now.push(...part.value);
      newAt += part.count;
    } else {
      open.old.push(...part.value);
      oldAt += part.count;
    }
  }
  if (open !== undefined) hunks.push(open);
  return hunks;
}
