/** Programs of this machine, with the libraries and scripts that they need, as files for a guest. */
import { readFile, realpath, stat } from "node:fs/promises";
import { findProgram, programFolders, SBIN } from "@suture/files";
import { run, type Task } from "@suture/task";
import { fail } from "./errors.ts";
import type { GuestFile } from "./initramfs.ts";

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
  files.push(...[...libraries].map((path) => ({ path, content: { file: path }, mode: 0o755 })));
  if (names.includes("node")) for (const path of await scriptsOfNode(libraries)) files.push({ path, content: { file: path } });
  return files;
}

/** Debian's Node has some of its own modules beside it, as scripts of other packages; the library that it is names them by their paths. */
async function scriptsOfNode(libraries: ReadonlySet<string>): Promise<string[]> {
  const library = [...libraries].find((path) => /\/libnode\.so\b/.test(path));
  if (library === undefined) return [];
  const paths = new Set((await readFile(library, "latin1")).match(/(?<=[\0=])\/usr\/[\w./-]+\.c?js(?=[\0"])/g));
  const found: string[] = [];
  for (const path of [...paths].sort())
    if (
      await stat(path).then(
        (file) => file.isFile(),
        () => false,
      )
    )
      found.push(path);
  return found;
}

async function find(name: string): Promise<string> {
  const path = await findProgram(name, SBIN);
  if (path !== undefined) return realpath(path);
  throw fail("LAB_PROGRAM_MISSING", `there is no ${name} in ${programFolders(SBIN).join(", ")}`, { file: name });
}
