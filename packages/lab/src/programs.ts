/** Programs of this machine, with the libraries that they need, as files for a guest. */
import { access, constants, realpath } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { run, type Task } from "@suture/task";
import { fail } from "./errors.ts";
import type { GuestFile } from "./initramfs.ts";

/** Where administrators' programs are, even if the caller's PATH does not say so. */
const FOLDERS = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"].filter((folder) => folder !== "");

/**
 * @param names of programs; each becomes /bin/NAME. Busybox's shell has its own of many names all the same: only by its path is such a one run.
 * @throws LAB_PROGRAM_MISSING
 */
export async function programFiles(task: Task, names: readonly string[]): Promise<GuestFile[]> {
  const libraries = new Set<string>();
  const files: GuestFile[] = [];
  for (const name of names) {
    const path = await find(name);
    files.push({ path: `/bin/${name}`, content: { file: path }, mode: 0o755 });
    // For a program that is linked statically ldd says so, and fails.
    const { stdout } = await run(task, ["ldd", path], { accept: [1] });
    for (const [, library = ""] of stdout.matchAll(/(\/\S+) \(0x/g)) libraries.add(library);
  }
  return [...files, ...[...libraries].map((path) => ({ path, content: { file: path }, mode: 0o755 }))];
}

async function find(name: string): Promise<string> {
  for (const folder of FOLDERS) {
    const path = join(folder, name);
    const there = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (there) return realpath(path);
  }
  throw fail("LAB_PROGRAM_MISSING", `there is no ${name} in ${FOLDERS.join(", ")}`, { file: name });
}
