/** All that is refused in a run is told at once, not the first only. */
import { SutureError } from "@suture/errors";
import type { Task } from "@suture/task";

/** What is no matter of one object ends the run. */
const OF_THE_MACHINE = /^(SCRATCH|CACHE|COMMAND)_|^CANCELLED$/;

/** @throws what is no refusal of an object */
export function refusedOr(task: Task, error: unknown): SutureError {
  task.check();
  if (!(error instanceof SutureError) || OF_THE_MACHINE.test(error.code)) throw error;
  return error;
}

/** The first, with the others. */
export function refuseAll(refusals: readonly SutureError[]): SutureError {
  const [first, ...others] = [...new Set(refusals)];
  if (first === undefined) throw new Error("nothing is refused");
  return others.length === 0 ? first : first.with(others);
}
