/**
 * The machine that runs: its files below one root directory, so that a made-up tree can stand for it. Most are of /proc and /sys, which are read at once:
 * they come from memory, in small pieces, and a trip to another thread for each piece takes longer than all of them.
 */
import { constants, readdirSync, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";

export class Machine {
  /** "/" for the one that this process runs on. */
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** Where a file of it is, as this process opens it. */
  path(path: string): string {
    return join(this.root, path);
  }

  /** The contents of a file; undefined if it is not there or may not be read. */
  bytes(path: string): Buffer | undefined {
    return unlessAbsent(() => readFileSync(this.path(path)));
  }

  text(path: string): string | undefined {
    return this.bytes(path)?.toString("latin1");
  }

  /** A file of one line, without its end. */
  line(path: string): string | undefined {
    return this.text(path)?.trim();
  }

  /** Names in a directory, sorted; none if it is not there. */
  names(path: string): string[] {
    return unlessAbsent(() => readdirSync(this.path(path)).sort()) ?? [];
  }

  /** Directories in a directory, sorted. */
  folders(path: string): string[] {
    const entries = unlessAbsent(() => readdirSync(this.path(path), { withFileTypes: true })) ?? [];
    return entries
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .sort();
  }

  /** Writes to an attribute of the kernel, which is never made anew. @returns the error's code if the kernel does not take it */
  async write(path: string, value: string): Promise<string | undefined> {
    try {
      const file = await open(this.path(path), constants.O_WRONLY);
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
}

export const THIS_MACHINE = new Machine("/");

/** What /proc and /sys answer when a thing is not there, has just gone, or may not be seen. */
const ABSENT: ReadonlySet<string | undefined> = new Set(["ENOENT", "ENOTDIR", "ESRCH", "EACCES", "EPERM", "ENODEV", "EINVAL", "EIO"]);

export function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && ABSENT.has(String(error.code));
}

function unlessAbsent<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
