/**
 * Making what the cache holds: each thing once, beside its name, and under its name only when it is complete and on the disk. A run that is
 * killed leaves a directory or file that ends in `.unfinished`, which the next run that makes the same thing removes.
 */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { SutureError } from "@suture/errors";
import { exists, oddIn, syncFolder } from "@suture/files";
import { run, type Task } from "@suture/task";
import { fail } from "../errors.ts";
import { isUnfinished, lockPath, unfinishedPath } from "./layout.ts";
import { withLock } from "./lock.ts";

/**
 * Sees to it that the cache's directory is there and that the kernel's build can work in it.
 * @throws CACHE_PATH, CACHE_UNWRITABLE, CACHE_FULL
 */
export async function openCache(cache: string): Promise<void> {
  await inCache(cache, async () => {
    await makeDirectory(cache);
    const real = await realpath(cache);
    const odd = oddIn(real);
    if (odd !== undefined) throw fail("CACHE_PATH", `its path has ${odd}`, { file: real });
  });
}

/** With its parents, one by one: where there can be no directory, as in /proc, node's own way tries for ever. */
async function makeDirectory(path: string): Promise<void> {
  const make = (): Promise<string> =>
    mkdir(path, { mode: 0o700 }).then(
      () => "",
      (error: NodeJS.ErrnoException) => {
        if (error.code === "EEXIST" || error.code === "ENOENT") return error.code;
        throw error;
      },
    );
  let outcome = await make();
  if (outcome === "ENOENT" && dirname(path) !== path) {
    await makeDirectory(dirname(path));
    outcome = await make();
  }
  if (outcome === "ENOENT") throw fail("CACHE_UNWRITABLE", "no directory can be made here", { file: path });
  if (outcome === "EEXIST" && !(await stat(path)).isDirectory()) throw fail("CACHE_UNWRITABLE", "it is no directory", { file: path });
}

/**
 * Sees to it that the directory `path` is there. `make` fills an empty directory that takes its name when it is done.
 * Only one process makes it; others wait.
 * @param isSound of a directory that is there: one that is not is made anew
 * @throws CACHE_FULL, CACHE_UNWRITABLE and what `make` throws
 */
export async function makeOnce(
  task: Task,
  cache: string,
  path: string,
  make: (beside: string) => Promise<void>,
  isSound: (path: string) => Promise<boolean> = exists,
): Promise<void> {
  if (await isSound(path)) return;
  await inCache(cache, async () => {
    await exclusively(task, cache, path, async () => {
      if (await isSound(path)) return;
      await removeUnfinished(path);
      await rm(path, { recursive: true, force: true });
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const beside = unfinishedPath(path, randomBytes(6).toString("hex"));
      try {
        await mkdir(beside);
        await make(beside);
        // One program for all files of the tree is much quicker than a call for each.
        await run(task, ["sync", "--file-system", beside]);
        await rename(beside, path);
        await syncFolder(dirname(path));
      } finally {
        await rm(beside, { recursive: true, force: true });
      }
    });
  });
}

/** Does `work` while no other process makes `path`. Waiting is a stage of its own. */
export async function exclusively<T>(task: Task, cache: string, path: string, work: () => Promise<T>): Promise<T> {
  let over = (): void => {};
  let waiting: Promise<void> | undefined;
  const onWait = (): void => {
    waiting = task.stage("wait", (stage) => {
      stage.note(`another run is making ${basename(path)}`);
      stage.result(`for another run: ${basename(path)}`);
      return new Promise((resolve) => {
        over = resolve;
      });
    });
  };
  const waited = async (): Promise<void> => {
    over();
    await waiting;
  };
  try {
    return await withLock(task, lockPath(cache, path), onWait, async () => {
      await waited();
      return work();
    });
  } finally {
    await waited();
  }
}

/** Removes what killed runs left of the making of `path`. Only for who holds its lock. */
export async function removeUnfinished(path: string): Promise<void> {
  const directory = dirname(path);
  for (const name of await readdir(directory).catch(() => []))
    if (isUnfinished(name, path)) await rm(join(directory, name), { recursive: true, force: true, maxRetries: 3 });
}

/** Does `work` on the cache; a full or unwritable disk is told as such, whoever met it. */
export async function inCache<T>(cache: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    const ours = error instanceof SutureError;
    if (ours && error.code === "CACHE_FULL") throw error;
    if (code === "ENOSPC" || code === "EDQUOT" || (ours && FULL.test(text)))
      throw fail("CACHE_FULL", `no space is left: ${lastLine(text)}`, { file: cache }, { cause: error });
    if (code === "EACCES" || code === "EROFS" || code === "EPERM" || code === "ENOTDIR")
      throw fail("CACHE_UNWRITABLE", text, { file: cache }, { cause: error });
    throw error;
  }
}

/** Whether a program that was run said that the disk is full. */
export function saysFull(text: string): boolean {
  return FULL.test(text);
}

/** What programs print when the disk is full or a quota is used up. */
const FULL = /(?:No space left on device|Disk quota exceeded)\)?\.?(?: \[IP: [^\]]*\])?$|You don't have enough free space/m;

function lastLine(text: string): string {
  return (
    text
      .split("\n")
      .find((line) => FULL.test(line))
      ?.trim() ?? text
  );
}

/** A program that ends when this process does, even if this one is killed in a way that it cannot act on. */
export function mortal(...argv: string[]): string[] {
  return ["setpriv", "--pdeathsig", "KILL", ...argv];
}
