import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { documentIn } from "@suture/testkit/document";
import { folderOf } from "@suture/testkit/folders";
import { expect, test } from "vitest";
import { runCli } from "../cli.ts";

const UNIT = {
  id: "u1",
  title: "fs/a.c: f",
  files: [{ path: "fs/a.c", built: true, hunks: [] }],
  diff: "--- a/fs/a.c\n+++ b/fs/a.c\n@@ -1 +1 @@\n-a\n+b\n",
  functions: [{ object: "fs/a.o", owner: "vmlinux", name: "f" }],
  state: "carried",
  reasons: [],
  dependsOn: [],
  leftWith: [],
};
const kernel = (patch: number) => ({ release: `6.1.0-${patch}-x`, version: `6.1.${patch}-1` });
const REPORT = { suture: 1, from: "packages", base: kernel(10), target: kernel(11), ranges: [], only: "all", units: [UNIT] };
const entry = (version: string, body: string): string =>
  `linux (${version}) suite; urgency=high\n\n${body}\n -- A <a@b>  Mon, 16 Nov 2026 11:17:40 +0100\n\n`;
const CHANGELOG = entry("6.1.11-1", "  * fs: <b>fix</b> it (CVE-2026-1001)\n") + entry("6.1.10-1", "  * old\n");
const RECORD = {
  cveMetadata: { cveId: "CVE-2026-1001", state: "PUBLISHED" },
  containers: { cna: { title: "fs: fix it", affected: [{ programFiles: ["fs/a.c"] }] } },
};

function files(more: Record<string, string> = {}): string {
  return folderOf({
    "report.json": JSON.stringify(REPORT),
    changelog: CHANGELOG,
    "vulns/cve/published/2026/CVE-2026-1001.json": JSON.stringify(RECORD),
    ...more,
  });
}

async function account(folder: string, ...more: string[]): Promise<{ code: number; said: ReturnType<typeof documentIn> }> {
  let stdout = "";
  const words = [
    "account",
    join(folder, "report.json"),
    "--changelog",
    join(folder, "changelog"),
    "--cve-data",
    join(folder, "vulns"),
    "--json",
    ...more,
  ];
  const code = await runCli(words, {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: () => {} },
    signal: new AbortController().signal,
    env: {},
  });
  return { code, said: documentIn(stdout) };
}

test("a report, a changelog and records become a document, a page and an OpenVEX document", async () => {
  const folder = files();
  const [page, vex] = ["page.html", "vex.json"].map((name) => join(folder, name)) as [string, string];
  const { code, said } = await account(folder, "--page", page, "--vex", vex, "--vex-author", "us");
  expect(code).toBe(0);
  expect(said.account.cves).toMatchObject([{ id: "CVE-2026-1001", state: "carried", tied: "files", owners: ["vmlinux"] }]);
  expect(readFileSync(page, "utf8")).toContain("fs: &lt;b&gt;fix&lt;/b&gt; it");
  expect(JSON.parse(readFileSync(vex, "utf8"))).toMatchObject({ author: "us", statements: [{ status: "fixed" }] });
});

test.each([
  ["report.json", "{", "ACCOUNT_REPORT"],
  ["report.json", JSON.stringify({ ...REPORT, units: [{ ...UNIT, state: "gone" }] }), "ACCOUNT_REPORT"],
  ["changelog", "\xff\xfe", "ACCOUNT_CHANGELOG"],
  ["changelog", "\x1f\x8b\x08nothing", "ACCOUNT_CHANGELOG"],
  ["changelog", entry("6.1.11-1", "  * new\n"), "ACCOUNT_CHANGELOG"],
])("a damaged %s (%j) is refused", async (name, text, expected) => {
  const folder = files({ [name]: text });
  const { code, said } = await account(folder);
  expect([code, said.error.code]).toEqual([1, expected]);
});

test("a package that is none is refused, and a damaged record is told", async () => {
  const folder = files({ "no.deb": "no package", "vulns/cve/published/2026/CVE-2026-1002.json": "{" });
  expect((await account(folder, "--changelog", join(folder, "no.deb"))).said.error.code).toBe("ACCOUNT_CHANGELOG");
  const { code, said } = await account(folder);
  expect([code, said.account.records.refused.length]).toEqual([0, 1]);
  // A bomb: it unpacks to more than any changelog is long.
  const { gzipSync } = await import("node:zlib");
  writeFileSync(join(folder, "changelog"), gzipSync(Buffer.alloc(80 * 1024 * 1024)));
  expect((await account(folder)).said.error.code).toBe("ACCOUNT_CHANGELOG");
});
