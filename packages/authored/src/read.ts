/** The C files of a livepatch that was written by hand. */
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fail } from "./errors.ts";

/** A file of the author's, or one of ours. */
export interface AuthoredSource {
  /** File name without folders. */
  name: string;
  bytes: Uint8Array;
  /** Where it was read, for what the compiler says; undefined for one that was not. */
  folder: string | undefined;
  /** Files of its folder that it includes, directly or not, by their names. */
  beside: readonly { name: string; bytes: Uint8Array }[];
}

/** @param paths C files, and folders all of whose C files are meant. @throws AUTHORED_SOURCE */
export async function readSources(paths: readonly string[]): Promise<AuthoredSource[]> {
  const sources: AuthoredSource[] = [];
  for (const path of paths)
    try {
      for (const file of await filesOf(path)) {
        const bytes = await readFile(file);
        const folder = dirname(file);
        sources.push({ name: basename(file), bytes, folder, beside: await includedBeside(folder, bytes) });
      }
    } catch (cause) {
      if (cause instanceof Error && "syscall" in cause) throw fail("AUTHORED_SOURCE", cause.message, { file: path }, { cause });
      throw cause;
    }
  for (const [i, { name }] of sources.entries())
    if (sources.slice(0, i).some((other) => other.name === name)) throw fail("AUTHORED_SOURCE", "two files have this name", { file: name });
  return sources;
}

async function filesOf(path: string): Promise<string[]> {
  const real = await realpath(path);
  if (!(await stat(real)).isDirectory()) {
    if (!real.endsWith(".c")) throw fail("AUTHORED_SOURCE", "it is no .c file", { file: path });
    return [real];
  }
  const files = (await readdir(real)).filter((name) => name.endsWith(".c")).sort();
  if (files.length === 0) throw fail("AUTHORED_SOURCE", "no .c file is in it", { file: path });
  return files.map((name) => join(real, name));
}

async function includedBeside(folder: string, bytes: Uint8Array): Promise<AuthoredSource["beside"]> {
  const there = new Set(await readdir(folder));
  const found = new Map<string, Uint8Array>();
  const queue = [bytes];
  for (let text = queue.pop(); text !== undefined; text = queue.pop())
    for (const [, name = ""] of Buffer.from(text)
      .toString("latin1")
      .matchAll(/^[ \t]*#[ \t]*include[ \t]+"([^"\n/]+)"/gm)) {
      if (!there.has(name) || found.has(name)) continue;
      const file = await readFile(join(folder, name));
      found.set(name, file);
      queue.push(file);
    }
  return [...found].map(([name, file]) => ({ name, bytes: file })).sort((a, b) => (a.name < b.name ? -1 : 1));
}
