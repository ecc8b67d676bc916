/** Modules in and out of the kernel, by the programs that do it on every Linux (kmod's, or busybox's). */
import { SutureError } from "@suture/errors";
import { type Finished, run, type Task } from "@suture/task";
import { fail } from "../errors.ts";

const PREFIXES: readonly (readonly string[])[] = [[], ["kmod"], ["busybox"]];
/** Where they are, even if the caller's PATH has no sbin. */
const FOLDERS = "/usr/sbin:/sbin:/usr/bin:/bin";

/** @returns why it failed, in the kernel's word for it (Device or resource busy), or undefined */
export async function insertModule(task: Task, file: string, parameters: readonly string[] = []): Promise<string | undefined> {
  return outcome(await runTool(task, ["insmod", file, ...parameters]));
}

/** @returns why it failed, or undefined */
export async function removeModule(task: Task, name: string): Promise<string | undefined> {
  return outcome(await runTool(task, ["rmmod", name]));
}

/** Which programs there are; none means that nothing can be loaded. */
export async function moduleTool(task: Task): Promise<string | undefined> {
  for (const prefix of PREFIXES) {
    const argv = prefix.length === 0 ? ["insmod", "--version"] : [...prefix, "insmod", "--help"];
    if ((await attempt(task, argv)) !== undefined) return [...prefix, "insmod"].join(" ");
  }
  return undefined;
}

async function runTool(task: Task, argv: readonly string[]): Promise<Finished> {
  for (const prefix of PREFIXES) {
    const finished = await attempt(task, [...prefix, ...argv]);
    if (finished !== undefined) return finished;
  }
  throw fail("HOST_TOOL_MISSING", `there is no ${argv[0]}, kmod or busybox`, { file: argv[0] });
}

/** Undefined if there is no such program. */
async function attempt(task: Task, argv: readonly string[]): Promise<Finished | undefined> {
  try {
    return await run(task, argv, {
      env: { PATH: `${process.env.PATH ?? ""}:${FOLDERS}` },
      accept: Array.from({ length: 256 }, (_, code) => code),
    });
  } catch (error) {
    if (error instanceof SutureError && error.code === "COMMAND_MISSING") return undefined;
    throw error;
  }
}

function outcome({ code, stdout, stderr }: Finished): string | undefined {
  if (code === 0) return undefined;
  const said = `${stderr}${stdout}`.trim().split("\n").at(-1) ?? "";
  return said.split(": ").at(-1) || `exit code ${code}`;
}
