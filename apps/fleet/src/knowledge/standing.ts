/** How each CVE stands for a kernel with the livepatches that are in effect in it. Pure. In doubt a CVE is open or unknown, and never closed. */
import { type CveStanding, compareVersions, type FixState } from "@suture/protocol";

export interface KnownLivepatch {
  sha256: string;
  name: string;
  release: string;
  buildId: string;
  counter: number;
  baseVersion: string | null;
  targetVersion: string | null;
  targetRelease: string | null;
  listed: boolean;
  withdrawn: boolean;
  cves: ReadonlyMap<string, KnownCve>;
}

export interface KnownCve {
  state: FixState;
  why: string;
  code: string | null;
  mend: string | null;
  fixedIn: string | null;
}

export interface Kernel {
  release: string;
  buildId: string | null;
  version: string | null;
}

export interface Standing {
  standing: CveStanding;
  /** carried, in the kernel, not built, no need, left out, not loaded, older, unknown. */
  reason: Reason;
  why: string;
  mend: string | null;
}

export const REASONS = ["carried", "in the kernel", "not built", "no need", "left out", "not loaded", "older", "unknown"] as const;
export type Reason = (typeof REASONS)[number];

/** What all livepatches together say of which release has which fix. */
export interface Fix {
  /** A kernel of this version or a newer one of its series has it. */
  since: string;
  /** Exactly since then; else it may have come a little earlier, after `after`. */
  after: string | null;
}
export type Fixes = ReadonlyMap<string, ReadonlyMap<string, Fix>>;

/** Of the series that a version is of: the first two numbers, and the epoch: another one's versions are those of another maker. */
export const seriesOf = (version: string): string => /^(?:\d+:)?\d+\.\d+/.exec(version)?.[0] ?? version;

/** By series, then by CVE. */
export function fixesOf(livepatches: readonly KnownLivepatch[]): Fixes {
  const all = new Map<string, Map<string, Fix>>();
  for (const { targetVersion, baseVersion, cves } of livepatches) {
    if (targetVersion === null) continue;
    const series = seriesOf(targetVersion);
    const fixes = all.get(series) ?? new Map<string, Fix>();
    all.set(series, fixes);
    for (const [cve, { fixedIn }] of cves) {
      const fix: Fix = fixedIn === null ? { since: targetVersion, after: baseVersion } : { since: fixedIn, after: null };
      const was = fixes.get(cve);
      if (was === undefined || isCloser(fix, was)) fixes.set(cve, fix);
    }
  }
  return all;
}

const isCloser = (fix: Fix, was: Fix): boolean =>
  (fix.after === null) === (was.after === null) ? compareVersions(fix.since, was.since) < 0 : fix.after === null;

/** The version of its package: as the machine says it, else as a livepatch for that build says it. */
export function versionOf({ version, buildId }: Kernel, livepatches: readonly KnownLivepatch[]): string | null {
  return version ?? livepatches.find((one) => one.buildId === buildId && one.baseVersion !== null)?.baseVersion ?? null;
}

const CLOSED: Readonly<Partial<Record<FixState, Reason>>> = {
  "not built": "not built",
  "no need": "no need",
  "in the kernel": "in the kernel",
};

/**
 * Of the kernel without any livepatch.
 * @param line the livepatches that are for it, in the order of their counters
 */
export function kernelStandings(version: string | null, line: readonly KnownLivepatch[], fixes: Fixes): Map<string, Standing> {
  const found = new Map<string, Standing>();
  for (const [cve, fix] of (version === null ? undefined : fixes.get(seriesOf(version))) ?? [])
    if (version !== null) found.set(cve, byVersion(version, fix));
  // What was looked at for this very build has the last word: of several the newest, and one that may be had before one that may not.
  for (const livepatch of [...line.filter((one) => !isThere(one)), ...line.filter(isThere)])
    for (const [cve, known] of livepatch.cves) found.set(cve, byLivepatch(livepatch, known));
  return found;
}

const isThere = ({ listed, withdrawn }: KnownLivepatch): boolean => listed && !withdrawn;

function byVersion(version: string, { since, after }: Fix): Standing {
  if (compareVersions(version, since) >= 0)
    return { standing: "closed", reason: "in the kernel", why: `${version} has what ${since} fixed`, mend: null };
  if (after !== null && compareVersions(version, after) > 0)
    return { standing: "unknown", reason: "unknown", why: `it was fixed between ${after} and ${since}`, mend: null };
  return {
    standing: "open",
    reason: "older",
    why: `${since} fixes it, and this kernel is ${version}`,
    mend: `Boot ${since}, or build a livepatch.`,
  };
}

function byLivepatch(livepatch: KnownLivepatch, { state, why, code, mend }: KnownCve): Standing {
  const { name, counter, targetRelease, targetVersion } = livepatch;
  const reason = CLOSED[state];
  if (reason !== undefined) return { standing: "closed", reason, why: why === "" ? `by the account of ${name}` : why, mend: null };
  if (state === "unknown") return { standing: "unknown", reason: "unknown", why: why === "" ? `${name} does not know` : why, mend: null };
  if (state === "carried") {
    const text = isThere(livepatch) ? "is not in effect" : "is not to be had any more";
    return { standing: "open", reason: "not loaded", why: `${name} (number ${counter}) carries it, and ${text}`, mend: null };
  }
  const boot = `Boot ${targetRelease ?? targetVersion ?? "a newer kernel"}.`;
  return {
    standing: "open",
    reason: "left out",
    why: `${code === null ? "" : `${code}: `}${why === "" ? "no livepatch can carry it" : why}`,
    mend: mend === null || mend === "" ? boot : `${boot} Without that: ${mend}`,
  };
}

/** Those of the kernel, but for what livepatches that are in effect carry. */
export function withLivepatches(kernel: ReadonlyMap<string, Standing>, inEffect: readonly KnownLivepatch[]): Map<string, Standing> {
  const found = new Map(kernel);
  for (const { name, counter, cves } of inEffect)
    for (const [cve, { state }] of cves) {
      if (state !== "carried" || found.get(cve)?.standing === "closed") continue;
      found.set(cve, {
        standing: "closed",
        reason: "carried",
        why: `${name} (number ${counter}) carries it, and is in effect`,
        mend: null,
      });
    }
  return found;
}

/** The release whose level it has: of the kernel, or what a catch-up brings it to. */
export function levelOf(version: string | null, inEffect: readonly KnownLivepatch[]): string | null {
  const all = [version, ...inEffect.map(({ targetVersion }) => targetVersion)].filter((one) => one !== null);
  return all.sort(compareVersions).at(-1) ?? null;
}
