/** Objects that no livepatch reaches. */
import type { SutureError } from "@suture/errors";
import type { KernelContext } from "@suture/kbuild";
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";
import { refusedOr } from "../run/refusals.ts";

/** @returns why this one cannot be reached */
export function unfit(task: Task, { commands }: KernelContext, object: string): SutureError | undefined {
  const program = commands.programOf(object);
  if (program !== undefined)
    return fail("BUILD_OTHER_PROGRAM", `${object} is of ${program}, a program that the kernel carries and does not run itself`, {
      file: object,
    });
  try {
    commands.of(object);
    return undefined;
  } catch (error) {
    return refusedOr(task, error);
  }
}
