import type { Account, CatchUpReport, CveAccount, ReleaseUnit } from "@suture/protocol";
import { expect, test } from "vitest";
import { accountPage } from "./page.ts";
import { subsystemsOf } from "./subsystem.ts";

const EVIL = `"></script><script>alert(1)</script><img src=x onerror='1'>\u202e`;
const none = { carried: 0, notBuilt: 0, noNeed: 0, leftOut: 0, inKernel: 0, unknown: 0 };

/** All that others wrote says `text`. */
function made(text: string): { account: Account; report: CatchUpReport } {
  const unit: ReleaseUnit = {
    id: text,
    title: text,
    commit: text,
    files: [{ path: `fs/${text}/a.c`, built: true, hunks: [] }],
    diff: `--- a/a.c\n+++ b/a.c\n@@ -1 +1 @@ ${text}\n-${text}\n+${text}\n`,
    functions: [{ object: text, owner: text, name: text }],
    state: "left out",
    reasons: [{ code: text, why: text, file: text, symbol: text, mend: text }],
    dependsOn: [text],
    leftWith: [text],
  };
  const what = {
    state: "left out" as const,
    tied: "files" as const,
    partly: true,
    why: text,
    code: text,
    symbol: text,
    mend: text,
    units: [text],
    owners: [text],
  };
  const cve: CveAccount = {
    id: text,
    title: text,
    named: "changelog",
    record: true,
    ...what,
    files: [{ path: `fs/${text}/a.c`, state: "left out" }],
  };
  const kernel = { release: text, version: text, buildId: text };
  const account: Account = {
    suture: 1,
    from: "packages",
    base: kernel,
    target: kernel,
    report: text,
    changelog: { file: text, sha256: text, versions: [text], fixes: 1 },
    records: { read: 1, refused: [{ file: text, why: text }] },
    counts: { cves: { ...none, leftOut: 1, carried: 2 }, fixes: none, units: none },
    cves: [cve],
    fixes: [{ subject: text, version: text, upstream: text, cves: [text], closes: [text], ...what }],
  };
  return { account, report: { suture: 1, from: "packages", base: kernel, target: kernel, ranges: [], only: "all", units: [unit] } };
}

test("nothing that others wrote becomes HTML, and nothing is loaded from elsewhere", () => {
  const { account, report } = made(EVIL);
  const page = accountPage(account, report);
  // Without what stands in attributes.
  const tags = (page.match(/<[^>]*>/g) ?? []).map((tag) => tag.replace(/"[^"]*"/g, '""'));
  expect(tags.filter((tag) => /^<\/?(?:img|link|iframe|object|form)|\s(?:on\w+|src|style)=/i.test(tag))).toEqual([]);
  // The page's own.
  expect(tags.filter((tag) => /^<\/?script/i.test(tag))).toEqual(["<script>", "</script>"]);
  expect(page.includes("\u202e")).toBe(false);
  expect([...page.matchAll(/href="([^"]*)"/g)].filter(([, to = ""]) => !to.startsWith("#"))).toEqual([]);
});

test("what is said is there without a script: the words, the states, the diff, the reason", () => {
  const { account, report } = made("said");
  const page = accountPage(account, report).replace(/<script>.*<\/script>/s, "");
  for (const text of [
    "2 of the 3 CVEs of said are closed",
    "<b>1 are open</b>",
    '<span class="a">+said</span>',
    "<code>said</code>: said",
    "What can be done:",
  ])
    expect(page).toContain(text);
  expect(page).toContain('id="tools" hidden');
  expect(page).toContain('data-s="left out" data-k="fs/said"');
});

test("an account of nothing says so", () => {
  const { account, report } = made("x");
  const { changelog: _, records: __, ...rest } = account;
  expect(
    accountPage({ ...rest, cves: [], fixes: [], counts: { cves: none, fixes: none, units: none } }, { ...report, units: [] }),
  ).toContain("neither a changelog nor CVE records were read");
});

test("parts of the kernel by their folders", () => {
  expect(subsystemsOf(["mm/a.c", "fs/ext4/a.c", "fs/a.c", "drivers/net/x/a.c", "Makefile", "mm/b.c"])).toEqual([
    "",
    "drivers/net",
    "fs",
    "fs/ext4",
    "mm",
  ]);
});
