/** The source that a release of the archive was built of, without the kernel: all that a newer release has to give. */
import { SutureError } from "@suture/errors";
import { compareVersions } from "@suture/protocol";
import type { Task } from "@suture/task";
import { sourcePath } from "../cache/layout.ts";
import { makeOnce, openCache } from "../cache/store.ts";
import { fail } from "../errors.ts";
import type { Target } from "../target.ts";
import type { Apt } from "./apt.ts";
import { type Archive, readArchive } from "./archive.ts";
import { archivedKernels } from "./archived-kernel.ts";
import { releaseChangelog } from "./changelog.ts";
import { getDebs } from "./download.ts";
import { findArchived, machineArchive, otherSuites } from "./find.ts";
import type { Package } from "./packages.ts";
import { fetchLists } from "./suite-lists.ts";
import { suitesOf } from "./suites.ts";
import { unpackSource } from "./unpack.ts";

export interface ReleaseSource {
  release: string;
  /** Of the source package. */
  name: string;
  version: string;
  sha256: string;
  /** The folder that holds it, which is never changed. */
  path: string;
}

export interface NewerSource extends ReleaseSource {
  /** The packed changelog of its packages; undefined where none has one. */
  changelog: string | undefined;
}

/**
 * The source that the kernel itself was built of.
 * @throws SOURCE_NOT_FOUND, SOURCE_NO_FEATURESET
 */
export function ownSource({ release, inputs, tree }: Target, cache: string): ReleaseSource {
  const source = inputs.find(({ kind, name }) => kind === "package" && name.startsWith("linux-source-"));
  if (source?.version === undefined)
    throw fail(
      "SOURCE_NOT_FOUND",
      `${release} was built of a tree that is no source package's, so that another release's cannot be held against it`,
      { file: tree },
      { mend: "Give the commits: --git FOLDER --range A..B." },
    );
  return {
    release,
    name: source.name,
    version: source.version,
    sha256: source.sha256,
    path: sourcePath(cache, { name: source.name, version: source.version }),
  };
}

/**
 * The source of another release of the same series and flavour, unpacked.
 * @param wanted as `uname -r` says it, or "newest"
 * @throws KERNEL_NOT_FOUND, SOURCE_NOT_FOUND, SOURCE_NO_FEATURESET, ARCHIVE_*, CACHE_*
 */
export async function releaseSource(task: Task, own: ReleaseSource, wanted: string, cache: string): Promise<NewerSource> {
  await openCache(cache);
  const release = wanted === "newest" ? await newestOf(task, own, cache) : wanted;
  const { archive, kernel } = await findArchived(task, cache, release, undefined);
  const { source, featureset } = kernel;
  if (featureset !== undefined)
    throw fail(
      "SOURCE_NO_FEATURESET",
      `${release} is built with the patches of ${featureset} on top of its source, which a catch-up does not do yet`,
      {
        file: source.name,
      },
    );
  if (source.name !== own.name)
    throw fail(
      "KERNEL_NOT_FOUND",
      `${release} is built of ${source.name}, ${own.release} of ${own.name}: they are of two series`,
      {
        file: release,
      },
      {
        mend: `Name a release of ${own.name} with --to: \`suture kernels\` lists them. A livepatch does not lead from one series to the next.`,
      },
    );
  if (compareVersions(source.version, own.version) <= 0)
    throw fail(
      "KERNEL_NOT_FOUND",
      `${release} is built of ${source.version}, which is not newer than ${own.version} of ${own.release}`,
      {
        file: release,
      },
      { mend: "Name a newer release with --to: `suture kernels` lists them." },
    );
  const changelog = await releaseChangelog(task, cache, archive, source).catch((error: unknown) => {
    task.check();
    // The source may be in the cache, and the archive out of reach: nothing but the account is without it.
    if (!(error instanceof SutureError)) throw error;
    task.reporter.warn(`the changelog of ${source.version} could not be had: ${error.code}: ${error.message}`);
    return undefined;
  });
  return { ...(await unpacked(task, { release, source, apt: archive.apt }, cache)), changelog };
}

async function unpacked(
  task: Task,
  { release, source, apt }: { release: string; source: Package; apt: Apt },
  cache: string,
): Promise<ReleaseSource> {
  const { download } = source;
  if (download === undefined)
    throw fail("SOURCE_NOT_FOUND", `the archive does not have ${source.name} ${source.version} any more`, { file: source.name });
  const path = sourcePath(cache, source);
  await makeOnce(task, cache, path, async (folder) => {
    const [deb = ""] = await getDebs(task, cache, [{ ...source, download }], apt);
    await task.stage("unpack", async (stage) => {
      stage.note(`${source.name} ${source.version}`);
      await unpackSource(task, deb, folder);
      stage.result(`${source.name} ${source.version}`);
    });
  });
  return { release, name: source.name, version: source.version, sha256: download.sha256, path };
}

/** Of the machine's archive, or of the suites that have the release that runs. @throws KERNEL_NOT_FOUND, ARCHIVE_* */
async function newestOf(task: Task, own: ReleaseSource, cache: string): Promise<string> {
  const flavour = flavourOf(own.release);
  const newestIn = (archive: Archive): string | undefined =>
    archivedKernels(archive).find(({ release, source }) => flavourOf(release) === flavour && source?.name === own.name)?.release;
  const { archive, refusal } = await machineArchive(task);
  const found = newestIn(archive);
  if (found !== undefined) return found;
  for (const suite of await otherSuites(task, suitesOf(own.release))) {
    const other = newestIn(await readArchive(task, await fetchLists(task, cache, suite)));
    if (other !== undefined) return other;
  }
  if (refusal !== undefined) throw refusal;
  throw fail("KERNEL_NOT_FOUND", `the archive has no kernel with the source of ${own.name} and the flavour ${flavour}`, {
    file: own.release,
  });
}

/** What follows the version, the name of the Debian and the number of the ABI. */
function flavourOf(release: string): string {
  return release.replace(/^\d[\d.]*(?:\+deb\d+(?:u\d+)?)?(?:-\d+)?-/, "");
}
