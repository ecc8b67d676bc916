/**
 * The bound on what is kept of compiled originals. Once a day those go that were not used for a month; of what is left the oldest, until
 * there are not more bytes than that is worth. Whoever needs one that is gone compiles it again.
 */
import { open, readdir, rm, rmdir, stat, utimes } from "node:fs/promises";
import { join } from "node:path";

const DAY = 86_400_000;
const MONTH = 30 * DAY;
const MOST_BYTES = 4 * 2 ** 30;
/** A file whose time says when the folder was last looked through. */
const STAMP = "swept";

export interface Bounds {
  /** Milliseconds since the epoch. */
  now: number;
  mostBytes: number;
}

/** A folder that cannot be read or changed is left as it is: nothing that a build needs depends on this. */
export async function sweepObjects(folder: string, { now, mostBytes }: Bounds = { now: Date.now(), mostBytes: MOST_BYTES }): Promise<void> {
  try {
    const stamp = join(folder, STAMP);
    const last = await stat(stamp).catch(() => undefined);
    if (last !== undefined && now - last.mtimeMs < DAY) return;
    await (await open(stamp, "a")).close();
    await utimes(stamp, now / 1000, now / 1000);
    await sweep(folder, now, mostBytes);
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
  }
}

async function sweep(folder: string, now: number, mostBytes: number): Promise<void> {
  const files: { path: string; bytes: number; used: number }[] = [];
  for (const group of await readdir(folder, { withFileTypes: true })) {
    if (!group.isDirectory()) continue;
    const at = join(folder, group.name);
    for (const name of await readdir(at)) {
      const found = await stat(join(at, name)).catch(() => undefined);
      if (found !== undefined) files.push({ path: join(at, name), bytes: found.size, used: found.mtimeMs });
    }
  }
  files.sort((a, b) => b.used - a.used);
  let sum = 0;
  for (const { path, bytes, used } of files) {
    sum += bytes;
    if (sum > mostBytes || now - used > MONTH) await rm(path, { force: true });
  }
  for (const group of await readdir(folder, { withFileTypes: true }))
    if (group.isDirectory()) await rmdir(join(folder, group.name)).catch(() => {});
}
