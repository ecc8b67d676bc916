/** How each kernel of the fleet stands to the newest of its series in the archive: what is to be built. Pure. */
import { type ArchivedKernel, compareVersions, type FleetWanted } from "@suture/protocol";
import { seriesOf } from "../knowledge/standing.ts";

/** A kernel that machines run, whatever livepatches are in it. */
export interface RunKernel {
  release: string;
  buildId: string;
  version: string | null;
  machines: number;
}

/** What brings a kernel to the level of another release. */
export interface Bringing {
  buildId: string;
  targetVersion: string | null;
  listed: boolean;
  withdrawn: boolean;
}

export interface Made {
  id: string;
  buildId: string;
  targetRelease: string;
  targetVersion: string | null;
  state: string;
  why: string;
  /** All of the release, not a choice of units. */
  whole: boolean;
}

/** What a release has behind its version, as Debian names kernels: `cloud-amd64`. */
const flavourOf = (release: string): string => /^\d+\.\d+\.\d+[^-]*(?:-[\d.]+(?:\.deb\d+\.\d+)?)?-(.*)$/.exec(release)?.[1] ?? release;
const isBackport = (version: string): boolean => version.includes("~bpo");

/** Of both, one livepatch leads from the one to the other. */
function isOfOneKind(a: ArchivedKernel, b: ArchivedKernel): boolean {
  // What the archive has dropped is in no suite.
  const suite = a.suite === "" || b.suite === "" ? isBackport(a.version) === isBackport(b.version) : a.suite === b.suite;
  return suite && seriesOf(a.version) === seriesOf(b.version) && flavourOf(a.release) === flavourOf(b.release);
}

const newestFirst = (a: ArchivedKernel, b: ArchivedKernel): number =>
  compareVersions(b.version, a.version) || compareVersions(b.release, a.release);

interface Own {
  own: ArchivedKernel;
  newest: ArchivedKernel;
}

/** @returns why it cannot be built for, where it cannot */
export function inArchive({ release, version }: Pick<RunKernel, "release" | "version">, archive: readonly ArchivedKernel[]): Own | string {
  if (archive.length === 0) return "no builder has said what the archive has";
  const named = archive.filter((kernel) => kernel.release === release).sort(newestFirst);
  const [own] = version === null ? named : named.filter((kernel) => kernel.version === version);
  if (own === undefined) {
    const [other] = named;
    return other === undefined
      ? "the archive does not have it any more, and no builder has it in its cache"
      : `the archive has ${other.version} of it, and machines run ${version}`;
  }
  if (!own.can) return own.why;
  const [newest = own] = archive.filter((kernel) => kernel.can && isOfOneKind(own, kernel)).sort(newestFirst);
  return { own, newest };
}

/** Those with most machines first. */
export function wantedOf(
  kernels: readonly RunKernel[],
  archive: readonly ArchivedKernel[],
  livepatches: readonly Bringing[],
  builds: readonly Made[],
): FleetWanted[] {
  return kernelsOf(kernels).map((kernel): FleetWanted => {
    const found = inArchive(kernel, archive);
    if (typeof found === "string") return { ...kernel, newest: null, state: "cannot", why: found, build: null };
    const { own, newest } = found;
    const { release, version } = newest;
    const of = { ...kernel, version: kernel.version ?? own.version, newest: { release, version } };
    if (compareVersions(version, own.version) <= 0) return { ...of, state: "newest", why: "", build: null };
    const isThere = livepatches.some(
      ({ buildId, targetVersion, listed, withdrawn }) =>
        buildId === kernel.buildId && listed && !withdrawn && targetVersion !== null && compareVersions(targetVersion, version) >= 0,
    );
    const build = builds.find(
      (one) =>
        one.buildId === kernel.buildId &&
        one.targetRelease === release &&
        one.whole &&
        one.state !== "cancelled" &&
        one.state !== "superseded",
    );
    if (isThere) return { ...of, state: "published", why: "", build: build?.id ?? null };
    if (build !== undefined) return { ...of, state: "build", why: `${build.state}: ${build.why}`, build: build.id };
    return { ...of, state: "wanted", why: "", build: null };
  });
}

/** Machines say of one build the same version, or none. */
function kernelsOf(kernels: readonly RunKernel[]): RunKernel[] {
  const found = new Map<string, RunKernel>();
  // Most machines say what is so.
  for (const kernel of [...kernels].sort((a, b) => b.machines - a.machines)) {
    const before = found.get(kernel.buildId);
    const machines = (before?.machines ?? 0) + kernel.machines;
    found.set(kernel.buildId, { ...(before ?? kernel), version: before?.version ?? kernel.version, machines });
  }
  return [...found.values()].sort((a, b) => b.machines - a.machines || (a.release < b.release ? -1 : 1));
}
