/** A level as a product: the kernel's package, with the livepatches that are in effect in it. */
import type { Judged } from "../knowledge/picture.ts";
import type { Reason, Standing } from "../knowledge/standing.ts";

/** Of Debian's packages; undefined where no version is known. */
export function purlOf({ kernel: { release, version } }: Judged): string | undefined {
  return version === null ? undefined : `pkg:deb/debian/linux-image-${encodeURIComponent(release)}@${encodeURIComponent(version)}`;
}

/** Also where no version is known. */
export const kernelIdOf = (judged: Judged): string =>
  purlOf(judged) ?? `urn:suture:kernel:${judged.kernel.buildId ?? encodeURIComponent(judged.kernel.release)}`;

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

/** By CVE. */
export function byCve(all: readonly Judged[]): Map<string, Same[]> {
  const found = new Map<string, Map<string, Same>>();
  for (const judged of all)
    for (const [cve, standing] of judged.standings) {
      const same = found.get(cve) ?? new Map<string, Same>();
      found.set(cve, same);
      const key = [standing.reason, standing.why, standing.mend].join("\n");
      const one = same.get(key);
      if (one === undefined) same.set(key, { standing, levels: [judged] });
      else one.levels.push(judged);
    }
  return new Map([...found].map(([cve, same]) => [cve, [...same.values()]]));
}
