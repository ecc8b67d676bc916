/** Files whose names a person gave. */
import { access, constants, realpath, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { writeAtomic } from "@suture/files";
import { fail } from "./errors.ts";

/**
 * A link keeps its place: the file that it leads to is replaced. A device or a pipe is written to: another file in its place would end
 * /dev/null, or /dev/stdout, for the whole machine.
 * @throws CLI_FILE
 */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const kind = await kindOf(path);
  if (kind === "stream") return await writeFile(path, bytes);
  const target = kind === "file" ? await realpath(path) : path;
  try {
    await writeAtomic(target, bytes);
  } catch (error) {
    if (error instanceof Error) throw fail("CLI_FILE", error.message.replaceAll(target, path), { file: path }, { cause: error });
    throw error;
  }
}

/** Said before the work that makes its bytes, not after. @throws CLI_FILE */
export async function checkWritable(path: string): Promise<void> {
  if ((await kindOf(path)) === "directory") throw fail("CLI_FILE", "it is a directory, not the name of a file", { file: path });
  try {
    const kind = await kindOf(path);
    if (kind !== "stream") await access(dirname(kind === "file" ? await realpath(path) : path), constants.W_OK | constants.X_OK);
  } catch (error) {
    if (error instanceof Error) throw fail("CLI_FILE", error.message, { file: path }, { cause: error });
    throw error;
  }
}

async function kindOf(path: string): Promise<"absent" | "file" | "directory" | "stream"> {
  try {
    const found = await stat(path);
    return found.isFile() ? "file" : found.isDirectory() ? "directory" : "stream";
  } catch {
    // Whatever it is, the write tells.
    return "absent";
  }
}
