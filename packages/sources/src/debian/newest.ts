/** The newest kernel of a series and flavour, for demonstrations, tests and benchmarks: nothing names a version. */
import { SutureError } from "@suture/errors";
import { compareVersions } from "@suture/protocol";
import type { Task } from "@suture/task";
import { cacheRoot } from "../cache/layout.ts";
import { fail } from "../errors.ts";
import { Archive, readArchive } from "./archive.ts";
import { archivedKernels } from "./archived-kernel.ts";
import { cachedKernels } from "./cached.ts";

/** @returns the release. @throws KERNEL_NOT_FOUND, ARCHIVE_* */
export async function newestKernel(task: Task, releases: RegExp): Promise<string> {
  const cached = await cachedKernels(cacheRoot(process.env));
  const archive = await readArchive(task).catch((error: unknown) => {
    // Those that are ready need none.
    if (!(error instanceof SutureError) || !error.code.startsWith("ARCHIVE_NO_") || !cached.some((k) => releases.test(k.release)))
      throw error;
    task.reporter.warn(`${error.message}: only kernels that are ready in the cache are looked at`);
    return new Archive([]);
  });
  if (archive.note !== undefined) task.reporter.warn(archive.note);
  const archived = archivedKernels(archive)
    .filter((kernel) => kernel.source !== undefined && kernel.headers !== undefined)
    .map(({ release, image }) => ({ release, version: image.version }));
  const [found] = [...archived, ...cached]
    .filter(({ release }) => releases.test(release))
    .sort((a, b) => compareVersions(b.version, a.version) || compareVersions(b.release, a.release));
  if (found === undefined) throw fail("KERNEL_NOT_FOUND", `no kernel of the archive that can be built for fits ${releases}`);
  return found.release;
}
