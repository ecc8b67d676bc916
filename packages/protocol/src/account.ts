/** What became of each fix and each CVE between the kernel that runs and a newer release: the report of a catch-up, told by the release's own words. */
import * as v from "valibot";
import { type CatchUpSummary, catchUpReportSchema, UNIT_STATES } from "./catch-up.ts";
import { said } from "./said.ts";

const text = v.string();
const texts = v.array(text);
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** What becomes of a fix. */
export const FIX_STATES = [...UNIT_STATES, "unknown"] as const;
export type FixState = (typeof FIX_STATES)[number];

const state = said(
  v.picklist(FIX_STATES),
  "carried: each change to its files that this kernel is made of is in the livepatch; left out: at least one is not; not built, no need, in the kernel: as of units; unknown: nothing says which changes it is made of",
);

const tied = said(
  v.picklist(["commit", "subject", "files", "none"]),
  "how its changes were found: by the commit's id, by the commit's subject, by the files that its record names (then all changes of those files count), or not at all",
);

const what = {
  state,
  tied,
  partly: said(v.boolean(), "left out, but some of its changes are carried"),
  why: said(text, "of that state"),
  code: v.exactOptional(said(text, "of one that is left out: the first refusal's, see docs/errors.md")),
  symbol: v.exactOptional(said(text, "the function, variable or type that it is about")),
  mend: v.exactOptional(said(text, "what could be done")),
  units: said(texts, "of the report: the changes that it is made of, or that touch its files"),
  owners: said(texts, "vmlinux and modules with functions that these change, as far as it shows"),
};

const files = said(
  v.array(
    v.object({
      path: text,
      state: said(v.picklist([...UNIT_STATES, "same"]), "same: it is the same in both releases, or in neither of them"),
    }),
  ),
  "that it touches",
);

const counts = v.object({ carried: count, notBuilt: count, noNeed: count, leftOut: count, inKernel: count, unknown: count });

export const accountSchema = v.object({
  suture: said(v.literal(1), "the version of this form"),
  from: catchUpReportSchema.entries.from,
  base: catchUpReportSchema.entries.base,
  target: catchUpReportSchema.entries.target,
  report: said(text, "SHA-256 of the report that it tells of"),
  changelog: v.exactOptional(
    said(
      v.object({ file: text, sha256: text, versions: said(texts, "whose entries were read, the newest first"), fixes: count }),
      "of the newer release's package",
    ),
  ),
  records: v.exactOptional(
    said(
      v.object({
        read: count,
        refused: said(v.array(v.object({ file: text, why: text })), "files that are no records, or damaged: nothing is taken from them"),
      }),
      "of the kernel's CVE numbering authority",
    ),
  ),
  counts: v.object({ cves: counts, fixes: counts, units: counts }),
  cves: v.array(
    v.object({
      id: text,
      title: said(text, "the subject of its fix"),
      named: said(v.picklist(["changelog", "record"]), "what says that it is among those that the newer release fixes"),
      record: said(v.boolean(), "there is a record of it"),
      ...what,
      files,
    }),
  ),
  fixes: said(
    v.array(
      v.object({
        subject: text,
        version: said(text, "of the package whose entry has it"),
        upstream: v.exactOptional(said(text, "the kernel release that it came with; absent for the distribution's own")),
        cves: texts,
        closes: said(texts, "reports of the distribution's bug tracker"),
        ...what,
      }),
    ),
    "each line of the changelog, in its order",
  ),
});

export type Account = v.InferOutput<typeof accountSchema>;
export type CveAccount = Account["cves"][number];
export type FixAccount = Account["fixes"][number];
export type StateCounts = v.InferOutput<typeof counts>;

/** In the manifest: where each CVE stands, without what the account has besides. */
export const accountSummarySchema = v.object({
  account: said(text, "SHA-256 of the account, as it was written"),
  carried: texts,
  notBuilt: texts,
  noNeed: texts,
  inKernel: texts,
  unknown: texts,
  leftOut: v.array(
    v.object({
      id: text,
      partly: v.boolean(),
      code: v.exactOptional(text),
      symbol: v.exactOptional(text),
      owners: said(texts, "vmlinux and modules that have what was left out, as far as it shows"),
    }),
  ),
});

export type AccountSummary = v.InferOutput<typeof accountSummarySchema>;

/** Whether it tells of the livepatch with this manifest: of the same report, between the same two kernels. */
export function isAccountOf(
  { catchUp }: { catchUp?: Pick<CatchUpSummary, "report" | "base" | "target"> },
  { report, base, target }: Pick<Account, "report" | "base" | "target">,
): boolean {
  if (catchUp === undefined || catchUp.report !== report) return false;
  const same = (one: Account["base"], other: Account["base"]): boolean =>
    one.release === other.release && one.version === other.version && one.buildId === other.buildId;
  return same(catchUp.base, base) && same(catchUp.target, target);
}
