import fc from "fast-check";
import { expect, test } from "vitest";
import { changesBetween } from "./parse.ts";

const TEXT = `linux-signed-amd64 (6.1.12+2) bookworm-security; urgency=high

  * Sign kernel from linux 6.1.12-2

  * ext4: fix a null folio in the allocator (Closes: #1154101)

 -- Name <name@example.org>  Mon, 16 Nov 2026 11:17:40 +0100

linux (6.1.12-1) bookworm-security; urgency=high

  * New upstream stable update:
    https://www.kernel.org/pub/linux/kernel/v6.x/ChangeLog-6.1.11
    - io-wq: order the exit bit against worker creation
    - apparmor: fix out-of-bounds write when null terminating a label vec
      (CVE-2026-89761)
    - smb: client: fix OOB read/write from unvalidated DataOffset in
      coalesce_t2() (CVE-2026-89633)
    https://www.kernel.org/pub/linux/kernel/v6.x/ChangeLog-6.1.12
    - [x86] bugs: Make it robust (CVE-2026-10001, CVE-2026-10002)
    - Input: pcu
      - fix heap overflow
    - Revert "KVM: (again)"

  [ Somebody Else ]
  * [arm64] netback: Fix cleanup (CVE-2026-99286)
  * Sign modules: (closes: #1040901, #7)
    - Store the key
    + Do not store it elsewhere

 -- Name <name@example.org>  Sat, 14 Nov 2026 11:29:58 +0100

linux (6.1.10-1) bookworm; urgency=medium

  * of the kernel that runs

 -- Name <name@example.org>  Sat, 14 Oct 2026 11:29:58 +0100
`;

test("lines, wrapped ones too, with CVEs, prefixes, bug reports, and the release that they came with", () => {
  const { versions, changes } = changesBetween(TEXT, "changelog", "6.1.10-1", "6.1.12-2");
  expect(versions).toEqual(["6.1.12-2", "6.1.12-1"]);
  expect(changes.map(({ subject, cves, upstream }) => [subject, cves.join(" "), upstream])).toEqual([
    ["ext4: fix a null folio in the allocator", "", undefined],
    ["io-wq: order the exit bit against worker creation", "", "6.1.11"],
    ["apparmor: fix out-of-bounds write when null terminating a label vec", "CVE-2026-89761", "6.1.11"],
    ["smb: client: fix OOB read/write from unvalidated DataOffset in coalesce_t2()", "CVE-2026-89633", "6.1.11"],
    ["bugs: Make it robust", "CVE-2026-10001 CVE-2026-10002", "6.1.12"],
    ["Input: pcu - fix heap overflow", "", "6.1.12"],
    ['Revert "KVM: (again)"', "", "6.1.12"],
    ["netback: Fix cleanup", "CVE-2026-99286", undefined],
    // What reports were closed by is told, though it heads a list.
    ["Sign modules:", "", undefined],
    ["Store the key", "", undefined],
    ["Do not store it elsewhere", "", undefined],
  ]);
  expect(changes.map(({ closes }) => closes.join()).filter((text) => text !== "")).toEqual(["1154101", "1040901,7"]);
  expect(changes.flatMap(({ prefixes }) => prefixes)).toEqual(["x86", "arm64"]);
});

test("a signed image's entry counts where the source's own is not there", () => {
  const both = TEXT.replace("linux (6.1.12-1)", "linux (6.1.12-2) s; urgency=low\n\n  * said again\n\nlinux (6.1.12-1)");
  const { changes } = changesBetween(both, "changelog", "6.1.12-1", "6.1.12-2");
  expect(changes.map(({ subject }) => subject)).toEqual(["said again"]);
});

test("what does not lead from one version to the other is refused, and what is no changelog", () => {
  const refused = (text: string, from: string, to: string): string => {
    try {
      changesBetween(text, "changelog", from, to);
      return "";
    } catch (error) {
      return String(error);
    }
  };
  expect(refused(TEXT, "6.1.10-1", "6.1.13-1")).toContain("no entry of 6.1.13-1; the newest is of 6.1.12-2");
  expect(refused(TEXT, "6.1.9-1", "6.1.12-2")).toContain("no entry of 6.1.9-1 below");
  expect(refused(TEXT, "6.1.12-2", "6.1.10-1")).toContain("no entry of 6.1.12-2 below");
  expect(refused("", "a", "b")).toContain("no entry like");
  expect(refused("\u0000".repeat(3000), "a", "b")).toContain("line 1 has 3000 characters");
  const torn = TEXT.replace("    - io-wq", "- io-wq");
  expect(refused(torn, "6.1.10-1", "6.1.12-2")).toContain("line 13 is neither a heading nor part of an entry");
  const endless = TEXT.replace("(CVE-2026-89761)", `x\n${"      more and more of one line\n".repeat(300)}`);
  expect(refused(endless, "6.1.10-1", "6.1.12-2")).toContain("more than 4000 characters");
});

test("any damage gives changes or a refusal with a code, in time that grows with the text", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: TEXT.length }),
      fc.integer({ min: 0, max: 40 }),
      fc.oneof(
        fc.string({ unit: "binary" }),
        fc.constantFrom("(", "[", "(CVE-2026-1", "(CVE-2026-1234 ", "\n", "    - ", "(Closes: #").map((s) => s.repeat(50)),
      ),
      (at, gone, put) => {
        const text = TEXT.slice(0, at) + put + TEXT.slice(at + gone);
        try {
          const { changes } = changesBetween(text, "changelog", "6.1.10-1", "6.1.12-2");
          for (const { cves } of changes) for (const cve of cves) expect(cve).toMatch(/^CVE-\d{4}-\d{4,7}$/);
        } catch (error) {
          expect(error).toMatchObject({ code: "ACCOUNT_CHANGELOG" });
        }
      },
    ),
    { numRuns: 2000 },
  );
  for (const word of ["(", "[a]", "(CVE-2026-12345", "(CVE-2026-12345,", " ", "\t(closes: #1"]) {
    const entry = `linux (2) s; u\n\n${`  * ${word.repeat(1900 / word.length)}\n`.repeat(500)}\nlinux (1) s; u\n`;
    expect(changesBetween(entry, "changelog", "1", "2").versions).toEqual(["2"]);
  }
});
