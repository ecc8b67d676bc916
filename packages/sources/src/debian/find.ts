/** The archive that has a kernel: that of the machine's apt, or of a suite that it does not know. */
import { SutureError } from "@suture/errors";
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";
import type { Apt } from "./apt.ts";
import { Archive, readArchive } from "./archive.ts";
import { type CompleteKernel, findKernel } from "./archived-kernel.ts";
import { machineSuites } from "./mirrors.ts";
import { fetchLists, hasLists, suiteApt } from "./suite-lists.ts";
import { SUITES, type Suite, suiteNamed, suitesOf } from "./suites.ts";

/** @throws KERNEL_NOT_FOUND, SOURCE_NOT_FOUND, ARCHIVE_* */
export async function findArchived(
  task: Task,
  cache: string,
  release: string,
  version: string | undefined,
): Promise<{ archive: Archive; kernel: CompleteKernel }> {
  const { archive, refusal } = await machineArchive(task);
  const found = (of: Archive) => ({ archive: of, kernel: findKernel(of, release, version) });
  const has = (of: Archive): boolean => of.versions(`linux-image-${release}`).some((p) => version === undefined || p.version === version);
  if (has(archive)) return found(archive);
  const others = await otherSuites(task, suitesOf(release));
  const asked: { name: string; note: string | undefined }[] = [];
  for (const suite of others) {
    const of = await readArchive(task, await fetchLists(task, cache, suite));
    if (has(of)) return found(of);
    asked.push({ name: suite.name, note: of.note });
  }
  if (asked.length === 0 && refusal !== undefined) throw refusal;
  if (asked.length === 0) return found(archive);
  throw dropped(release, version, asked);
}

/** @param asked the suites that could have it, the newest first, with what is to be said of their lists' age */
export function dropped(
  release: string,
  version: string | undefined,
  asked: readonly { name: string; note: string | undefined }[],
): SutureError {
  const image = `linux-image-${release}${version === undefined ? "" : ` ${version}`}`;
  const notes = asked.flatMap(({ note }) => (note === undefined ? [] : `; ${note}`));
  return fail(
    "KERNEL_NOT_FOUND",
    `apt knows no ${image}, nor has the mirror one in ${asked.map(({ name }) => name).join(" or ")}${notes.join("")}`,
    { file: release },
    {
      mend:
        `Archives drop older kernels: \`suture kernels --suite ${asked[0]?.name} --all\` lists those that are there to boot. To build for this ` +
        "one, get its linux-image, linux-headers and linux-source, all of one version, from snapshot.debian.org, prepare its tree, and give " +
        "--tree, --image and --modules (docs/kernels.md).",
    },
  );
}

/** What the machine's apt knows; nothing, and why, where it has no lists. */
export async function machineArchive(task: Task): Promise<{ archive: Archive; refusal: SutureError | undefined }> {
  try {
    return { archive: await readArchive(task), refusal: undefined };
  } catch (error) {
    if (!(error instanceof SutureError) || !error.code.startsWith("ARCHIVE_NO_")) throw error;
    return { archive: new Archive([]), refusal: error };
  }
}

/** Of these, the suites that the machine's apt does not know. */
export async function otherSuites(task: Task, suites: readonly Suite[]): Promise<Suite[]> {
  if (suites.length === 0) return [];
  const known = await machineSuites(task);
  return suites.filter(({ name }) => !known.has(name));
}

/** Where the compiler of a kernel may be: first where its suite has it, then all whose lists are here. */
export async function compilerArchives(task: Task, cache: string, of: Apt): Promise<Apt[]> {
  const other = of.suite?.compilers === undefined ? undefined : suiteNamed(of.suite.compilers);
  const first = other === undefined ? of : await fetchLists(task, cache, other);
  const more: Apt[] = [];
  for (const suite of SUITES) if (suite !== first.suite && (await hasLists(cache, suite))) more.push(suiteApt(cache, suite));
  return [first, ...more];
}
