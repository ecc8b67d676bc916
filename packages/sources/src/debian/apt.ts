/** apt, as it is asked: with the machine's own lists, or with those of one suite that are in the cache. */
import { SutureError } from "@suture/errors";
import { type Finished, type RunOptions, run, type Task } from "@suture/task";
import { fail } from "../errors.ts";
import type { Suite } from "./suites.ts";

export interface Apt {
  /** Undefined for the machine's own, which may have several. */
  suite: Suite | undefined;
  /** Words that go behind the program's name. */
  options: readonly string[];
  /** The folder of its lists. */
  lists: string;
}

/** As the machine is configured. */
export const MACHINE: Apt = { suite: undefined, options: [], lists: "/var/lib/apt/lists" };

/** @throws ARCHIVE_NO_APT, COMMAND_FAILED */
export async function runApt(
  task: Task,
  apt: Apt,
  program: "apt-get" | "apt-cache",
  words: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  try {
    return await run(task, [program, ...apt.options, ...words], options);
  } catch (error) {
    if (error instanceof SutureError && error.code === "COMMAND_MISSING")
      throw fail("ARCHIVE_NO_APT", `there is no ${program} on this machine`, {}, { cause: error });
    throw error;
  }
}

/** The errors of what apt printed, or all of it. */
export function aptSaid(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  // With the first of each file, apt says that there were some.
  const errors = text.split("\n").filter((line) => line.startsWith("E: ") && !line.startsWith("E: Some index files failed"));
  return errors.length === 0 ? text : errors.map((line) => line.slice(3).trim()).join("; ");
}
