/** The C files of a livepatch that was written by hand. */
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fail } from "../errors.ts";

export interface AuthoredSource {
  /** Absolute; undefined for one of ours. */
  path: string | undefined;
  /** File name without folders. */
  name: string;
  text: string;
  bytes: Uint8Array;
  /** Other C files and headers in its folder: it may include them. */
  beside: readonly string[];
}

/** @param path a C file, or a folder all of whose C files make one livepatch. @throws AUTHORED_SOURCE */
export async function readSources(path: string): Promise<AuthoredSource[]> {
  try {
    const real = await realpath(path);
    const files = (await stat(real)).isDirectory()
      ? (await readdir(real)).filter((name) => name.endsWith(".c")).map((name) => join(real, name))
      : [real];
    if (files.length === 0) throw fail("AUTHORED_SOURCE", "no .c file is in it", { file: path });
    for (const file of files) if (!file.endsWith(".c")) throw fail("AUTHORED_SOURCE", "it is no .c file", { file: path });
    return await Promise.all(
      files.sort().map(async (file) => {
        const bytes = await readFile(file);
        const beside = await readdir(dirname(file));
        const others = beside.filter((name) => /\.[ch]$/.test(name) && name !== basename(file)).map((name) => join(dirname(file), name));
        return { path: file, name: basename(file), text: bytes.toString("latin1"), bytes, beside: others };
      }),
    );
  } catch (cause) {
    if (cause instanceof Error && "syscall" in cause) throw fail("AUTHORED_SOURCE", cause.message, { file: path }, { cause });
    throw cause;
  }
}
