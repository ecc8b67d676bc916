/**
 * The machine that runs: its files below one root directory, so that a made-up tree can stand for it. Most are of /proc and /sys, which are read at once:
 * they come from memory, in small pieces, and a trip to another thread for each piece takes longer than all of them.
 */
import { constants, readdirSync, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";

export interface Machine {
  /** "/" for this machine. */
  root: string;
}

export const THIS_MACHINE: Machine = { root: "/" };

export function pathOf(machine: Machine, path: string): string {
  return join(machine.root, path);
}

/** What /proc and /sys answer when a thing is not there, has just gone, or may not be seen. */
const ABSENT: ReadonlySet<string | undefined> = new Set(["ENOENT", "ENOTDIR", "ESRCH", "EACCES", "EPERM", "ENODEV", "EINVAL", "EIO"]);

export function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && ABSENT.has(String(error.code));
}

/** The contents of a file; undefined if it is not there or may not be read. */
export async function bytesOf(machine: Machine, path: string): Promise<Buffer | undefined> {
  try {
    return readFileSync(pathOf(machine, path));
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

export async function textOf(machine: Machine, path: string): Promise<string | undefined> {
  return (await bytesOf(machine, path))?.toString("latin1");
}

/** A file of one line, without its end. */
export async function lineOf(machine: Machine, path: string): Promise<string | undefined> {
  return (await textOf(machine, path))?.trim();
}

/** Names in a directory, sorted; none if it is not there. */
export async function namesIn(machine: Machine, path: string): Promise<string[]> {
  try {
    return readdirSync(pathOf(machine, path)).sort();
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

/** Directories in a directory, sorted. */
export async function foldersIn(machine: Machine, path: string): Promise<string[]> {
  try {
    const entries = readdirSync(pathOf(machine, path), { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

/** Writes to an attribute of the kernel, which is never made anew. @returns the error's code if the kernel does not take it */
export async function setAttribute(machine: Machine, path: string, value: string): Promise<string | undefined> {
  try {
    const file = await open(pathOf(machine, path), constants.O_WRONLY);
    try {
      await file.write(value);
    } finally {
      await file.close();
    }
    return undefined;
  } catch (error) {
    if (error instanceof Error && "code" in error) return String(error.code);
    throw error;
  }
}
