/** What a fleet knows: of kernels, of livepatches, and how each CVE stands. */
import * as v from "valibot";
import { maybe, said } from "../said.ts";
import { digest, line } from "./parts.ts";

const text = v.string();
const texts = v.array(text);
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** Of a CVE for a kernel with its livepatches. */
export const CVE_STANDINGS = ["open", "unknown", "closed"] as const;
export type CveStanding = (typeof CVE_STANDINGS)[number];

const counts = {
  open: said(count, "machines that are open to it"),
  unknown: said(
    count,
    "machines of which nothing says whether they are: no livepatch speaks of it for their kernel, or they have not said what they have, or are silent since it was closed",
  ),
  closed: count,
};

export const cveIdSchema = v.pipe(text, v.regex(/^CVE-\d{4}-\d{4,7}$/, "CVE-YEAR-NUMBER is needed"));

export const fleetCveSchema = v.strictObject({ id: text, title: text, ...counts });
export type FleetCve = v.InferOutput<typeof fleetCveSchema>;

export const fleetCvesSchema = v.strictObject({
  cves: said(v.array(fleetCveSchema), "those to which most machines are open come first"),
  next: v.nullable(said(text, "`after` of the next page")),
});

const group = v.strictObject({
  release: text,
  buildId: v.nullable(text),
  version: v.nullable(said(text, "of the kernel's package, where it is known")),
  livepatches: said(texts, "in effect: their names; SHA-256 of those that the repository does not have"),
  machines: count,
  silent: said(count, "of these, not heard of for three beats"),
});

export const fleetCveWholeSchema = v.strictObject({
  ...fleetCveSchema.entries,
  kernels: said(
    v.array(
      v.strictObject({
        ...group.entries,
        standing: v.picklist(CVE_STANDINGS),
        reason: said(
          v.picklist(["carried", "in the kernel", "not built", "no need", "left out", "not loaded", "older", "unknown"]),
          "closed: a livepatch that is in effect carries it, or the kernel has it, is not made of it, or does not run it; open: no livepatch can carry it (left out), one could that is not in effect (not loaded), or the kernel is older and no account of it says more (older)",
        ),
        why: text,
        mend: v.nullable(text),
      }),
    ),
    "each kernel with the livepatches in it that a machine of the fleet has",
  ),
  livepatches: said(v.array(v.strictObject({ sha256: text, name: text, release: text, state: text })), "that speak of it"),
});
export type FleetCveWhole = v.InferOutput<typeof fleetCveWholeSchema>;

const reboot = said(
  v.array(v.strictObject({ code: v.picklist(["left out", "withdrawn", "not covered"]), why: text })),
  "why a reboot is wanted: CVEs that no livepatch can carry and a newer kernel fixes, a withdrawn livepatch that is still in the kernel, a kernel for which no livepatches are made any more; none: it is not",
);

const levelEntries = {
  version: group.entries.version,
  level: v.nullable(
    said(text, "the release whose level it has, by the kernel or by a livepatch in effect, but for the CVEs that are open"),
  ),
  open: count,
  unknown: count,
  closed: count,
  reboot,
  coveredUntil: v.nullable(said(text, "the day until which somebody has said that livepatches are made for it; null: nobody has")),
};

export const fleetKernelsSchema = v.strictObject({
  kernels: v.array(v.strictObject({ ...group.entries, ...levelEntries })),
});
export type FleetKernel = v.InferOutput<typeof fleetKernelsSchema>["kernels"][number];

/** Of one machine. */
export const hostLevelSchema = v.strictObject({
  ...levelEntries,
  openCves: v.array(v.strictObject({ id: text, reason: text, why: text })),
});
export type HostLevel = v.InferOutput<typeof hostLevelSchema>;

export const coverSchema = v.strictObject({
  until: v.nullable(
    said(
      v.pipe(
        text,
        v.regex(/^\d{4}-\d\d-\d\d$/, "a day such as 2026-12-31 is needed"),
        v.check((day) => new Date(`${day}T00:00:00Z`).toJSON()?.startsWith(day) === true, "there is no such day"),
      ),
      "null: nobody says any more",
    ),
  ),
  why: line,
});

export const fleetLivepatchSchema = v.strictObject({
  sha256: digest,
  name: text,
  release: text,
  buildId: text,
  counter: count,
  proven: v.boolean(),
  baseVersion: v.nullable(said(text, "of a catch-up: the package's version that it is for")),
  targetVersion: v.nullable(said(text, "of a catch-up: the one whose level it brings")),
  listed: said(v.boolean(), "the repository still has it"),
  withdrawn: v.boolean(),
  machines: said(count, "that have it in effect"),
  account: said(v.boolean(), "its account can be read"),
  review: said(v.boolean(), "its page of review can be read"),
});
export type FleetLivepatch = v.InferOutput<typeof fleetLivepatchSchema>;
export const fleetLivepatchesSchema = v.strictObject({ livepatches: v.array(fleetLivepatchSchema) });
export const fleetLivepatchWholeSchema = v.strictObject({
  ...fleetLivepatchSchema.entries,
  cves: v.array(
    v.strictObject({
      id: text,
      title: text,
      state: text,
      why: text,
      code: maybe(text),
      mend: maybe(text),
    }),
  ),
});
export type FleetLivepatchWhole = v.InferOutput<typeof fleetLivepatchWholeSchema>;
