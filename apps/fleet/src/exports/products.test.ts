import { expect, test } from "vitest";
import type { Judged } from "../knowledge/picture.ts";
import type { Reason, Standing } from "../knowledge/standing.ts";
import { byCve } from "./products.ts";

function level(buildId: string, reason: Reason, patched = false): Judged {
  const standing: Standing = { standing: "open", reason, why: reason, mend: null };
  return {
    kernel: { release: "6.1.0-1-amd64", version: "6.1.190-1", buildId },
    inEffect: patched ? [{ sha256: "ab", name: "x" }] : [],
    standings: new Map([["CVE-2026-1", standing]]),
  } as unknown as Judged;
}

const said = (...levels: Judged[]) =>
  (byCve(levels).get("CVE-2026-1") ?? []).map(({ standing, levels: of }) => [standing.reason, of.map(({ kernel }) => kernel.buildId)]);

test("of two builds of one version, which a package's name does not tell apart, the worse is said", () => {
  expect(said(level("1", "not built"), level("2", "older"))).toEqual([["older", ["1", "2"]]]);
  expect(said(level("1", "in the kernel"), level("2", "unknown"))).toEqual([["unknown", ["1", "2"]]]);
});

test("a kernel with livepatches is another product than the one without", () => {
  expect(said(level("1", "carried", true), level("1", "not loaded"))).toEqual([
    ["carried", ["1"]],
    ["not loaded", ["1"]],
  ]);
});
