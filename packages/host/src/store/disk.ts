/**
 * Reading of what lies on a disk and decides what is loaded. Unlike /proc and /sys, where a thing that may not be read is as good as absent, here only what
 * is not there is absent: a bad sector, a folder or a link in place of a file must never look like a livepatch that has no quarantine.
 */
import { closeSync, constants, existsSync, fstatSync, lstatSync, openSync, readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Machine } from "../machine/machine.ts";

export type OnDisk<T> = { value: T | undefined; unreadable?: undefined } | { value?: undefined; unreadable: string };

/** The contents of a regular file; no value if it is not there. Links are not followed: Suture makes none. */
export function fileOnDisk(machine: Machine, path: string): OnDisk<Buffer> {
  return attempt(() => {
    // A pipe in its place would be waited for.
    const file = openSync(machine.path(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (!fstatSync(file).isFile()) throw new Error("it is no file");
      return readFileSync(file);
    } finally {
      closeSync(file);
    }
  });
}

/** Names in a folder, sorted; no value if it is not there. A link to one will do; what it leads to may be on a disk that is not mounted. */
export function folderOnDisk(machine: Machine, path: string): OnDisk<string[]> {
  const found = attempt(() => readdirSync(machine.path(path)).sort());
  if (found.unreadable !== undefined || found.value !== undefined) return found;
  let there = machine.path(path);
  while (lstatSync(there, { throwIfNoEntry: false }) === undefined) there = dirname(there);
  return existsSync(there) ? found : { unreadable: `${there} is a link to nothing` };
}

function attempt<T>(read: () => T): OnDisk<T> {
  try {
    return { value: read() };
  } catch (error) {
    return codeOf(error) === "ENOENT" ? { value: undefined } : { unreadable: reasonOf(error) };
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

/** Of an error of the system its code, which people look for; else what it says. */
export function reasonOf(error: unknown): string {
  return codeOf(error) ?? (error instanceof Error ? error.message : String(error));
}
