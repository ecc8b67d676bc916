import { expect, test } from "vitest";
import { cvesNamed } from "./cves.ts";

test.each([
  "CVE: CVE-2026-1111",
  "CVE-2026-1111",
  " * CVE-2026-1111",
  "References: CVE-2026-1111 bsc#1200000",
  "References: bsc#1200000 CVE-2026-1111",
  "Fixes: CVE-2026-1111",
  "Bug-Debian-Security: https://security-tracker.debian.org/tracker/CVE-2026-1111",
])("a header that says so fixes it: %s", (line) => {
  expect(cvesNamed(["x: mend it"], ["It is mended.", line])).toEqual({ cves: ["CVE-2026-1111"], mentioned: [] });
});

test.each(["CVE-2026-1111: x: mend it", "[CVE-2026-1111] x: mend it", "x: mend it (CVE-2026-1111)"])("so does a subject: %s", (subject) => {
  expect(cvesNamed([subject], []).cves).toEqual(["CVE-2026-1111"]);
});

test.each([
  "It came with the fix of CVE-2026-1111.",
  "This does not fix CVE-2026-1111",
  "CVE-2026-1111 was fixed by half.",
  'Fixes: 0123456789ab ("x: fix CVE-2026-1111")',
  "References: the report of CVE-2026-1111",
])("one that is only mentioned is not fixed: %s", (line) => {
  expect(cvesNamed(["x: mend it", 'Revert "x: mend it (CVE-2026-1111)"'], [line])).toEqual({ cves: [], mentioned: ["CVE-2026-1111"] });
});

test("what is fixed is not mentioned besides", () => {
  expect(cvesNamed(["x: mend it (CVE-2026-1, CVE-2026-1112)"], ["As CVE-2026-1111, but another.", "CVE-2026-1112, CVE-2026-1110"])).toEqual(
    {
      cves: ["CVE-2026-1110", "CVE-2026-1112"],
      mentioned: ["CVE-2026-1111"],
    },
  );
});
