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
  /** It brings all of that release that can be carried, not a part that somebody has asked for. */
  whole: boolean;
  listed: boolean;
  withdrawn: boolean;
  cves: ReadonlyMap<string, KnownCve>;
}

export interface KnownCve {
  state: FixState;
  why: string;
  code: string | null;
  mend: string | null;
  /** The package's versions whose changelogs name it: the oldest and the newest. */
  firstIn: string | null;
  fixedIn: string | null;
  /** Of a patch of the operator's own: no release is said to have it. */
  own: boolean;
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
  /** An older one than this has it not; of those between nothing is known. */
  before: Edge;
  /** It is said by one at least that was not withdrawn. */
  holds: boolean;
}

interface Edge {
  version: string;
  /** This one itself has it not either. */
  itself: boolean;
}

type Claim = Omit<Fix, "holds">;
export type Fixes = ReadonlyMap<string, ReadonlyMap<string, Fix>>;

/** Of the series that a version is of: the first two numbers, and the epoch: another one's versions are those of another maker. */
export const seriesOf = (version: string): string => /^(?:\d+:)?\d+\.\d+/.exec(version)?.[0] ?? version;

interface Claims {
  /** By a changelog. */
  exact: Claim[];
  /** Somewhere between two releases. */
  ranges: Claim[];
}

/** By series, then by CVE. */
export function fixesOf(livepatches: readonly KnownLivepatch[]): Fixes {
  const all = new Map<string, Map<string, Fix>>();
  // What was withdrawn is heard where no other speaks.
  for (const holds of [true, false])
    for (const [series, claims] of claimsOf(livepatches.filter(({ withdrawn }) => withdrawn !== holds))) {
      const fixes = all.get(series) ?? new Map<string, Fix>();
      all.set(series, fixes);
      for (const [cve, said] of claims) if (!fixes.has(cve)) fixes.set(cve, { ...together(said), holds });
    }
  return all;
}

function claimsOf(livepatches: readonly KnownLivepatch[]): Map<string, Map<string, Claims>> {
  const all = new Map<string, Map<string, Claims>>();
  for (const { targetVersion, baseVersion, cves } of livepatches) {
    if (targetVersion === null) continue;
    const series = seriesOf(targetVersion);
    const claims = all.get(series) ?? new Map<string, Claims>();
    all.set(series, claims);
    for (const [cve, { firstIn, fixedIn, own }] of cves) {
      if (own) continue;
      const of = claims.get(cve) ?? { exact: [], ranges: [] };
      claims.set(cve, of);
      if (fixedIn === null) of.ranges.push({ since: targetVersion, before: { version: baseVersion ?? "", itself: true } });
      else of.exact.push({ since: fixedIn, before: { version: firstIn ?? fixedIn, itself: false } });
    }
  }
  return all;
}

/** Where they can all be right of one fix, what they have in common; else it was fixed more than once, and the last one counts. */
function together({ exact, ranges }: Claims): Claim {
  if (exact.length === 0) return inCommon(ranges) ?? around(ranges);
  const named = around(exact);
  const fits = ({ since, before }: Claim): boolean =>
    compareVersions(named.before.version, before.version) > 0 && compareVersions(named.since, since) <= 0;
  return ranges.every(fits) ? named : around([named, ...ranges]);
}

function around(claims: readonly Claim[]): Claim {
  return claims.reduce((all, one) => ({
    since: compareVersions(one.since, all.since) > 0 ? one.since : all.since,
    before: compareEdges(one.before, all.before) < 0 ? one.before : all.before,
  }));
}

function inCommon(claims: readonly Claim[]): Claim | undefined {
  const found = claims.reduce((all, one) => ({
    since: compareVersions(one.since, all.since) < 0 ? one.since : all.since,
    before: compareEdges(one.before, all.before) > 0 ? one.before : all.before,
  }));
  return compareVersions(found.before.version, found.since) < 0 ? found : undefined;
}

const compareEdges = (a: Edge, b: Edge): number => compareVersions(a.version, b.version) || Number(a.itself) - Number(b.itself);

/** The versions between which it makes no difference which one a kernel is of. */
export function boundsOf(fixes: ReadonlyMap<string, Fix>): string[] {
  return [...new Set([...fixes.values()].flatMap(({ since, before }) => [since, before.version]))].sort(compareVersions);
}

/** The version of its package: as what was signed says it of that build, else as the machine says it. */
export function versionOf({ version, buildId }: Kernel, livepatches: readonly KnownLivepatch[]): string | null {
  return livepatches.find((one) => one.buildId === buildId && one.baseVersion !== null)?.baseVersion ?? version;
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
    for (const [cve, known] of livepatch.cves) {
      const standing = byLivepatch(livepatch, known, fixAfter(livepatch, cve, known, fixes));
      if (!livepatch.withdrawn || standing.standing === "open" || !found.has(cve)) found.set(cve, standing);
    }
  return found;
}

/** What fixes it once more, after the release that the livepatch brings the kernel to. */
function fixAfter({ targetVersion }: KnownLivepatch, cve: string, { own }: KnownCve, fixes: Fixes): string | undefined {
  if (own || targetVersion === null) return undefined;
  const since = fixes.get(seriesOf(targetVersion))?.get(cve)?.since;
  return since !== undefined && compareVersions(since, targetVersion) > 0 ? since : undefined;
}

const unknown = (why: string): Standing => ({ standing: "unknown", reason: "unknown", why, mend: null });

const isThere = ({ listed, withdrawn }: KnownLivepatch): boolean => listed && !withdrawn;

function byVersion(version: string, { since, before, holds }: Fix): Standing {
  if (compareVersions(version, since) >= 0) {
    // An older one under a name that sorts after the newer ones'.
    if (version.includes("+really")) return unknown("its version does not say which release it is");
    if (!holds) return unknown(`what said that ${since} fixed it is withdrawn`);
    return { standing: "closed", reason: "in the kernel", why: `it has what ${since} fixed`, mend: null };
  }
  const isOlder = compareEdges({ version, itself: true }, before) <= 0;
  if (!isOlder) return unknown(`it was fixed, or fixed again, after ${before.version} and by ${since}`);
  return {
    standing: "open",
    reason: "older",
    why: `${since} fixes it, and this kernel is older`,
    mend: `Boot ${since}, or build a livepatch.`,
  };
}

function byLivepatch(livepatch: KnownLivepatch, { state, why, code, mend }: KnownCve, again: string | undefined): Standing {
  const { name, counter, targetRelease, targetVersion, withdrawn } = livepatch;
  const reason = CLOSED[state];
  if (reason !== undefined && withdrawn) return unknown(`${name} said "${state}", and is withdrawn`);
  if (reason !== undefined && again !== undefined)
    return unknown(`${name} said "${state}" of what ${targetVersion} has, and ${again} fixes it again`);
  if (reason !== undefined) return { standing: "closed", reason, why: why === "" ? `by the account of ${name}` : why, mend: null };
  if (state === "unknown") return unknown(why === "" ? `${name} does not know` : why);
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
export function withLivepatches(
  kernel: ReadonlyMap<string, Standing>,
  inEffect: readonly KnownLivepatch[],
  fixes: Fixes,
): ReadonlyMap<string, Standing> {
  if (inEffect.length === 0) return kernel;
  const found = new Map(kernel);
  // One that was withdrawn says least.
  for (const livepatch of [...inEffect].sort((a, b) => Number(b.withdrawn) - Number(a.withdrawn)))
    for (const [cve, known] of livepatch.cves)
      if (known.state === "carried" && found.get(cve)?.standing !== "closed")
        found.set(cve, whatIsCarried(livepatch, fixAfter(livepatch, cve, known, fixes)));
  return found;
}

function whatIsCarried({ name, counter, withdrawn, targetVersion }: KnownLivepatch, again: string | undefined): Standing {
  const what = `${name} (number ${counter}) carries it, and is in effect`;
  if (withdrawn) return unknown(`${what}, but withdrawn: what is wrong with it may be this`);
  if (again !== undefined) return unknown(`${what}, as ${targetVersion} has it; ${again} fixes it again`);
  return { standing: "closed", reason: "carried", why: what, mend: null };
}

const VERSION = /^(?:\d+:)?\d+\.\d+/;

/** The release whose level it has: of the kernel, or what a catch-up brings it to. One that was made of commits has a commit for that, which is older or newer than nothing. */
export function levelOf(version: string | null, inEffect: readonly KnownLivepatch[]): string | null {
  const targets = inEffect.flatMap(({ targetVersion, whole }) =>
    whole && targetVersion !== null && VERSION.test(targetVersion) ? [targetVersion] : [],
  );
  const all = [version, ...targets].filter((one) => one !== null);
  return all.sort(compareVersions).at(-1) ?? null;
}
