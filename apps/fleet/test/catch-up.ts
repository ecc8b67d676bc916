/** A catch-up's account, as `suture account` makes it of a report. */
import { accountOf, summaryOf } from "@suture/account";
import type { Account, CatchUpReport, DraftManifest, ReleaseUnit } from "@suture/protocol";
import { BUILD_ID, STATE } from "./machine.ts";

export const BASE = { release: STATE.release, version: "6.1.190-1", buildId: BUILD_ID };
export const TARGET = { release: "6.1.0-58-amd64", version: "6.1.192-2" };

/** The files that their fixes touch, and what became of those. */
const FIXES = [
  ["CVE-2026-1001", "a.c", "carried"],
  ["CVE-2026-1002", "b.c", "left out"],
  ["CVE-2026-1003", "n.c", "not built"],
  ["CVE-2026-1004", "i.c", "no need"],
] as const;
/** Of it there is no record. */
export const NO_RECORD = "CVE-2026-1005";

export function accountFor(): Account {
  const units = FIXES.map(
    ([id, path, state]): ReleaseUnit => ({
      id: path,
      title: id,
      files: [{ path, built: state !== "not built", hunks: [] }],
      diff: "",
      functions: [],
      state,
      reasons: state === "left out" ? [{ code: "BUILD_LAYOUT", why: 'struct <b> has "a" new member', mend: "Write it by hand." }] : [],
      dependsOn: [],
      leftWith: [],
    }),
  );
  const report: CatchUpReport = { suture: 1, from: "packages", base: BASE, target: TARGET, ranges: [], only: "all", units };
  const line = (subject: string, cves: string[]) => ({
    subject,
    prefixes: [],
    cves,
    closes: [],
    version: "6.1.191-1",
    upstream: "6.1.191",
  });
  return accountOf(report, {
    records: {
      records: FIXES.map(([id, path]) => ({
        id,
        title: `${path}: fix it`,
        files: [path],
        fixed: [{ release: "6.1.191", commit: undefined }],
      })),
      refused: [],
    },
    changelog: {
      file: "changelog",
      sha256: "",
      versions: [],
      changes: [...FIXES.map(([id, path]) => line(`${path}: fix it`, [id])), line("=cmd|x: no record", [NO_RECORD])],
    },
  });
}

export const manifestFor = (account: Account): Partial<DraftManifest> => ({
  account: summaryOf(account),
  catchUp: { from: "packages", base: BASE, target: TARGET, report: account.report, units: [] },
});
