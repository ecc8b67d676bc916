/** Programs of this machine. */
import { constants } from "node:fs";
import { delimiter, join } from "node:path";
import { mayUse } from "./exists.ts";

/** Where administrators' programs are, even if the caller's PATH does not say so. */
export const SBIN: readonly string[] = ["/usr/sbin", "/sbin"];

/** The folders of the PATH, then those. */
export function programFolders(more: readonly string[] = []): string[] {
  return [...(process.env.PATH ?? "").split(delimiter), ...more].filter((folder) => folder !== "");
}

/** The path of a program on the PATH, or in one of those folders. */
export async function findProgram(program: string, more: readonly string[] = []): Promise<string | undefined> {
  for (const folder of programFolders(more)) {
    const path = join(folder, program);
    if (await mayUse(path, constants.X_OK)) return path;
  }
  return undefined;
}

export async function onPath(program: string, more: readonly string[] = []): Promise<boolean> {
  return (await findProgram(program, more)) !== undefined;
}
