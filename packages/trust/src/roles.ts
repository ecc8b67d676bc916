/** The roles of a repository, where each has its file, and how much a client takes of it. */

/** They stand in root.json. `targets` lists nothing: it delegates to those below. */
export const TOP_ROLES = ["root", "targets", "snapshot", "timestamp"] as const;
/** Delegated by `targets`. */
export const PARTS = ["patches", "policy", "withdrawal"] as const;

type Part = (typeof PARTS)[number];

const LINE = "linux-";

/** The role of a kernel line, delegated by `patches`: a small targets file each. */
export function lineRole(buildId: string): string {
  return `${LINE}${buildId}`;
}

/** What each role may sign: patterns as the specification has them, in which `*` stands for what is between two `/`. */
export const PATHS: Readonly<Record<Part, readonly string[]>> = {
  patches: ["patches/*/*"],
  policy: ["policy/*"],
  withdrawal: ["withdrawal/*"],
};

export const linePaths = (buildId: string): readonly string[] => [`patches/${buildId}/*`];

export const POLICY_PATH = "policy/policy.json";
export const WITHDRAWALS_PATH = "withdrawal/withdrawals.json";

const KiB = 1024;

/** Bytes and members that a client reads at most, before any signature is checked. */
export const LIMITS = {
  root: 256 * KiB,
  timestamp: 16 * KiB,
  snapshot: 1024 * KiB,
  targets: 1024 * KiB,
  policy: 1024 * KiB,
  withdrawals: 1024 * KiB,
  target: 256 * KiB * KiB,
  /** Roots that are followed in one refresh. */
  rotations: 256,
  signatures: 64,
  keysOfRole: 32,
  keys: 256,
  targetsOfFile: 400,
  /** Roles that one file delegates to; files that a snapshot lists. */
  roles: 2048,
} as const;

const DAY = 86_400;

/** Seconds before its expiry from which on a client warns of it. */
export const WARN_BEFORE: Readonly<Record<string, number>> = {
  root: 30 * DAY,
  targets: 30 * DAY,
  patches: 14 * DAY,
  policy: DAY,
  withdrawal: DAY,
  snapshot: DAY,
  timestamp: 6 * 3600,
};

/** Those of kernel lines are as those of patches. */
export const warnBefore = (role: string): number => WARN_BEFORE[role] ?? WARN_BEFORE.patches ?? 0;

export const metadataPath = (role: string, version?: number): string =>
  `metadata/${version === undefined ? "" : `${version}.`}${role}.json`;

/** A target's file is named by its contents. */
export function targetFilePath(path: string, sha256: string): string {
  const at = path.lastIndexOf("/") + 1;
  return `targets/${path.slice(0, at)}${sha256}.${path.slice(at)}`;
}
