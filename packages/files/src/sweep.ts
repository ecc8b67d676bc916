/**
 * The bound on what is kept in a folder of a cache, of which all that is missing is made again. Once a day those files go that were not used for a month; of
 * what is left the oldest, until there are not more bytes than that is worth; and what interrupted writes left. Who reads a file meanwhile has it open, or
 * makes it again.
 */
import { statSync, utimesSync } from "node:fs";
import { lstat, open, readdir, rm, rmdir, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { PARTIAL } from "./atomic.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MONTH = 30 * DAY;
/** A file whose time says when the folder was last looked through. */
const STAMP = "swept";

export interface Bounds {
  /** Milliseconds since the epoch; now unless given. */
  now?: number;
  mostBytes: number;
}

/** To be called of what was read of such a folder: by that old files are found. A cache that is only read is as good. */
export function markUsed(path: string, now = Date.now()): void {
  try {
    // A time to come is of a clock that was wrong.
    if (Math.abs(now - statSync(path).mtimeMs) > DAY) utimesSync(path, now / 1000, now / 1000);
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
  }
}

/**
 * Files in the folder, and in its folders; deeper ones are not looked at. A folder that cannot be read or changed is left as it is: nothing depends on this.
 */
export async function sweepKept(folder: string, { now = Date.now(), mostBytes }: Bounds): Promise<void> {
  try {
    const stamp = join(folder, STAMP);
    const last = await stat(stamp).catch(() => undefined);
    if (last !== undefined && Math.abs(now - last.mtimeMs) < DAY) return;
    await (await open(stamp, "a")).close();
    await utimes(stamp, now / 1000, now / 1000);
    await sweep(folder, now, mostBytes);
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
  }
}

async function sweep(folder: string, now: number, mostBytes: number): Promise<void> {
  const groups: string[] = [];
  const paths: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isFile() && entry.name !== STAMP) paths.push(path);
    if (!entry.isDirectory()) continue;
    groups.push(path);
    const inside = await readdir(path, { withFileTypes: true }).catch(() => []);
    paths.push(...inside.filter((one) => one.isFile()).map(({ name }) => join(path, name)));
  }
  const files: { path: string; bytes: number; used: number }[] = [];
  for (const path of paths) {
    const found = await lstat(path).catch(() => undefined);
    if (found === undefined) continue;
    const age = now - found.mtimeMs;
    if (!path.includes(`/${PARTIAL}`)) files.push({ path, bytes: found.size, used: found.mtimeMs });
    // No write takes an hour.
    else if (age > HOUR) await remove(path);
  }
  files.sort((a, b) => b.used - a.used);
  let sum = 0;
  for (const { path, bytes, used } of files) {
    sum += bytes;
    if (sum > mostBytes || Math.abs(now - used) > MONTH) await remove(path);
  }
  for (const group of groups) await rmdir(group).catch(() => {});
}

/** What cannot be removed stays; the next may. */
async function remove(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => {});
}
