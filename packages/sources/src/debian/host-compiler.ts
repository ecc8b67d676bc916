/** What of this machine compiles: kernels, where it has their compiler, and programs that the kernel's build makes for itself. */
import { readdir } from "node:fs/promises";
import { onPath, programFolders } from "@suture/files";
import { compareVersions } from "@suture/protocol";
import { run, type Task } from "@suture/task";
import { fail } from "../errors.ts";
import type { CompleteKernel } from "./archived-kernel.ts";

type Built = Pick<CompleteKernel, "compiler" | "kbuild">;

/** Whether the machine has the kernel's compiler, and libraries that its build's own programs run with. */
export async function suitsHost(task: Task, kernel: Built): Promise<boolean> {
  const { compiler } = kernel;
  return (compiler === undefined || (await onPath(compiler))) && (await runsBuildPrograms(task, kernel));
}

/** Whether the kernel's build's own programs run with the machine's libraries. */
export async function runsBuildPrograms(task: Task, { kbuild }: Pick<Built, "kbuild">): Promise<boolean> {
  const needed = kbuild.depends.flat().find(({ name, relation }) => name === "libc6" && relation === ">=")?.version;
  if (needed === undefined) return true;
  const { stdout } = await run(task, ["getconf", "GNU_LIBC_VERSION"]);
  const there = /(\d+\.\d+)/.exec(stdout)?.[1];
  return there !== undefined && compareVersions(there, needed) >= 0;
}

/** A compiler for programs that run here, whichever it is. @throws SOURCE_HOST_COMPILER */
export async function hostCompiler(): Promise<string> {
  if (await onPath("gcc")) return "gcc";
  const names = await Promise.all(programFolders().map((folder) => readdir(folder).catch(() => [])));
  const [newest] = names
    .flat()
    .filter((name) => /^gcc-\d+$/.test(name))
    .sort((a, b) => compareVersions(b, a));
  if (newest === undefined) throw fail("SOURCE_HOST_COMPILER", "there is no gcc of this machine");
  return newest;
}
