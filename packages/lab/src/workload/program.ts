/** The program that a workload is made of (c/workload.c), compiled on this machine: a guest has no compiler. */
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import { findProgram } from "@suture/files";
import { run, scratchFolder, type Task } from "@suture/task";

const COMPILERS = ["gcc", "cc", "gcc-12", "gcc-14"];

/** Its bytes, or why there is none. */
export async function workloadProgram(task: Task): Promise<{ program: Uint8Array } | { lack: string }> {
  const compiler = await firstOf(COMPILERS);
  if (compiler === undefined) return { lack: "there is no C compiler on this machine (apt-get install gcc libc6-dev)" };
  const folder = await scratchFolder("workload");
  try {
    const out = join(folder, "workload");
    await run(task, [compiler, "-O1", "-static", "-o", out, sourceFile()]);
    return { program: await readFile(out) };
  } catch (error) {
    task.check();
    if (!(error instanceof SutureError)) throw error;
    const [said = ""] = error.message.split("\n").filter((line) => /error|cannot|fatal/i.test(line));
    return { lack: `${compiler} cannot make a program without shared libraries here (apt-get install libc6-dev): ${said}` };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function firstOf(names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    const path = await findProgram(name);
    if (path !== undefined) return path;
  }
  return undefined;
}

/** c/ stands beside the one file of the bundle, and beside src/ in a checkout. */
function sourceFile(): string {
  const bundled = join(import.meta.dirname, "c/workload.c");
  return existsSync(bundled) ? bundled : join(import.meta.dirname, "../../c/workload.c");
}
