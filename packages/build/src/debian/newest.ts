/** The newest kernel of a series and flavour, for demonstrations, tests and benchmarks: nothing names a version. */
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";
import { readArchive } from "./archive.ts";
import { archivedKernels } from "./archived-kernel.ts";

/** @returns the release. @throws KERNEL_NOT_FOUND, ARCHIVE_* */
export async function newestKernel(task: Task, releases: RegExp): Promise<string> {
  const found = archivedKernels(await readArchive(task)).find(
    (kernel) => releases.test(kernel.release) && kernel.source !== undefined && kernel.headers !== undefined,
  );
  if (found === undefined) throw fail("KERNEL_NOT_FOUND", `no kernel of the archive that can be built for fits ${releases}`);
  return found.release;
}
