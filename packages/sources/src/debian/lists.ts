/** apt's package lists on this machine: whether there are any, and how old they are. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fail } from "../errors.ts";
import { MACHINE } from "./apt.ts";

const DAY = 86_400_000;
/** The lists of security fixes come out anew nearly every day. */
const OLD_DAYS = 7;

/**
 * When the newest of the lists was published; undefined where none says so. The times of the files are of no use: apt gives them those of
 * the server, and an image of a system may be unpacked long after its lists were fetched.
 * @throws ARCHIVE_NO_LISTS
 */
export async function listsPublished(folder: string = MACHINE.lists): Promise<Date | undefined> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return [];
    throw fail("ARCHIVE_NO_LISTS", `apt's package lists cannot be read: ${cause.message}`, { file: folder }, { cause });
  });
  if (!names.some((name) => /_Packages(\.|$)/.test(name))) throw fail("ARCHIVE_NO_LISTS", "apt has no package lists", { file: folder });
  let newest: number | undefined;
  for (const name of names) {
    if (!/_(?:In)?Release$/.test(name)) continue;
    const text = await readFile(join(folder, name), "utf8").catch(() => "");
    const at = Date.parse(/^Date: (.*)$/m.exec(text)?.[1] ?? "");
    if (!Number.isNaN(at)) newest = Math.max(newest ?? at, at);
  }
  return newest === undefined ? undefined : new Date(newest);
}

/** What is to be said of lists that are old; undefined of others. @param suite where they are those that are in the cache */
export function ageNote(published: Date | undefined, now: number, suite?: string): string | undefined {
  const days = published === undefined ? 0 : Math.floor((now - published.getTime()) / DAY);
  if (published === undefined || days < OLD_DAYS) return undefined;
  const age = `${days} days old (${published.toISOString().slice(0, 10)})`;
  if (suite !== undefined) return `what the mirror has of ${suite} is ${age}`;
  return `the newest of apt's package lists is ${age}, the archive may have newer kernels; as root, \`apt-get update\` fetches new lists`;
}
