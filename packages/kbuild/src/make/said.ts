/** What the compiler says of an object's functions besides compiling them. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import { inScratch } from "@suture/sources";
import { run, type Task } from "@suture/task";
import { optionsOf } from "../compile.ts";
import type { SourceView } from "../view/view.ts";
import { replaced } from "./command-line.ts";
import type { ObjectCommand } from "./commands.ts";
import { inputsOf } from "./depfile.ts";

export interface Said {
  /** Each function as it was parsed, with a cast for each conversion. */
  functions: string;
  /** What was made part of what, one in a line. */
  inlined: string;
}

/** Undefined where the compiler cannot say it. @throws BUILD_VIEW */
export async function saidOf(task: Task, command: ObjectCommand, view: SourceView): Promise<Said | undefined> {
  const { object, depfile, source } = command;
  return inScratch("said", async (scratch) => {
    const [functions, inlined, inputs] = ["functions", "inlined", "inputs"].map((name) => join(scratch, name)) as [string, string, string];
    const options = `${optionsOf(command, "sections")} -fdump-tree-original=${functions} -fopt-info-inline=${inlined} -S -o ${scratch}/object.s`;
    const line = replaced(replaced(view.compile(command.compile), depfile, inputs, object), ` -c -o ${object} `, ` ${options} `, object);
    try {
      await run(task, ["sh", "-c", line], { cwd: view.cwd });
      await view.check(inputsOf(await readFile(inputs, "utf8")), source);
      return { functions: await readFile(functions, "latin1"), inlined: await readFile(inlined, "utf8").catch(absent) };
    } catch (error) {
      if (error instanceof SutureError && error.code === "COMMAND_FAILED") return undefined;
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
  });
}

/** The compiler writes no file where it has nothing to say. */
function absent(error: NodeJS.ErrnoException): string {
  if (error.code === "ENOENT") return "";
  throw error;
}
