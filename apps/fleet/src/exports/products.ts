/** A level as a product: the kernel's package, with the livepatches that are in effect in it. */
import type { Judged } from "../knowledge/picture.ts";
import type { Reason, Standing } from "../knowledge/standing.ts";

/** Of Debian's packages; undefined where no version is known. */
export function purlOf({ kernel: { release, version } }: Judged): string | undefined {
  return version === null ? undefined : `pkg:deb/debian/linux-image-${encodeURIComponent(release)}@${encodeURIComponent(version)}`;
}

/** Also where no version is known. A kernel with livepatches in it is another product than the package: who asks by the package's purl is told of that alone. */
export function kernelIdOf(judged: Judged): string {
  const { inEffect, kernel } = judged;
  const purl = purlOf(judged);
  const id = purl ?? `urn:suture:kernel:${kernel.buildId ?? encodeURIComponent(kernel.release)}`;
  if (inEffect.length === 0) return id;
  const all = encodeURIComponent(
    inEffect
      .map(({ sha256 }) => sha256)
      .sort()
      .join(","),
  );
  return purl === undefined ? `${id}:livepatch:${all}` : `${id}?build_id=${kernel.buildId}&livepatch=${all}`;
}

export const livepatchIdOf = (name: string): string => `urn:suture:livepatch:${encodeURIComponent(name)}`;

export type VexStatus = "fixed" | "not_affected" | "affected" | "under_investigation";

export const STATUSES: Readonly<Record<Reason, VexStatus>> = {
  carried: "fixed",
  "in the kernel": "fixed",
  "not built": "not_affected",
  "no need": "not_affected",
  "left out": "affected",
  "not loaded": "affected",
  older: "affected",
  unknown: "under_investigation",
};

export const JUSTIFICATIONS = {
  "not built": "vulnerable_code_not_present",
  "no need": "vulnerable_code_not_in_execute_path",
} as const;

export const justificationOf = (reason: Reason): (typeof JUSTIFICATIONS)[keyof typeof JUSTIFICATIONS] | undefined =>
  reason === "not built" || reason === "no need" ? JUSTIFICATIONS[reason] : undefined;

/** What helps. */
export const actionOf = ({ reason, why, mend }: Standing): string =>
  mend ?? (reason === "not loaded" ? `Load the livepatch: ${why}.` : `Boot a newer kernel: ${why}.`);

/** Of one CVE the levels that stand the same, for the same reason. */
export interface Same {
  standing: Standing;
  levels: Judged[];
}

/** The first is what is said of a product of which several are said. */
const WORST: readonly VexStatus[] = ["affected", "under_investigation", "not_affected", "fixed"];

const isWorse = (one: Standing, other: Standing): boolean => WORST.indexOf(STATUSES[one.reason]) < WORST.indexOf(STATUSES[other.reason]);

/** By CVE; of each product one. A package's version does not say which build it is: of several it is as the worst of them. */
export function byCve(all: readonly Judged[]): Map<string, Same[]> {
  const found = new Map<string, Map<string, Same>>();
  const products = all.map((judged) => ({ judged, id: kernelIdOf(judged) }));
  for (const cve of new Set(all.flatMap(({ standings }) => [...standings.keys()]))) {
    const worst = new Map<string, Standing>();
    for (const { judged, id } of products) {
      const standing = judged.standings.get(cve);
      const before = worst.get(id);
      if (standing !== undefined && (before === undefined || isWorse(standing, before))) worst.set(id, standing);
    }
    const same = new Map<string, Same>();
    for (const { judged, id } of products) {
      const standing = judged.standings.has(cve) ? worst.get(id) : undefined;
      if (standing === undefined) continue;
      const key = [standing.reason, standing.why, standing.mend].join("\n");
      const one = same.get(key);
      if (one === undefined) same.set(key, { standing, levels: [judged] });
      else one.levels.push(judged);
    }
    found.set(cve, same);
  }
  return new Map([...found].map(([cve, same]) => [cve, [...same.values()]]));
}
