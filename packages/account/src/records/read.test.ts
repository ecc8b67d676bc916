import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Task } from "@suture/task";
import { codeOf, folderOf } from "@suture/testkit/folders";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readRecords } from "./read.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";

function record(id: string, more: object = {}): string {
  const affected = [
    { programFiles: ["fs/pipe.c", "fs/pipe.c"], versions: [{ version: COMMIT, lessThan: COMMIT, status: "affected", versionType: "git" }] },
    { programFiles: ["fs/pipe.c"], versions: [{ version: "6.1.12", lessThanOrEqual: "6.1.*", status: "unaffected" }] },
  ];
  return JSON.stringify({
    dataType: "CVE_RECORD",
    cveMetadata: { cveId: id, state: "PUBLISHED" },
    containers: { cna: { title: "fs/pipe: Fix it", affected, ...more } },
  });
}

const at = (id: string, end = "json"): string => `cve/published/${id.slice(4, 8)}/${id}.${end}`;

test("title, files and where it is fixed, from the record and what stands beside it", async () => {
  const folder = folderOf({
    [at("CVE-2025-1000")]: record("CVE-2025-1000"),
    [at("CVE-2026-1000")]: record("CVE-2026-1000"),
    [at("CVE-2026-1000", "dyad")]: `# dyad version: 1\n5.1:${COMMIT}:6.1.12:${COMMIT}\n5.1:${COMMIT}:0:0\n`,
    [at("CVE-2026-1001")]: record("CVE-2026-1001").replace("PUBLISHED", "REJECTED"),
    "cve/published/2026/README": "no record",
  });
  const title = "fs/pipe: Fix it";
  expect(await readRecords(new Task(), folder)).toEqual({
    records: [
      { id: "CVE-2025-1000", title, files: ["fs/pipe.c"], fixed: [{ release: "6.1.12", commit: undefined }] },
      { id: "CVE-2026-1000", title, files: ["fs/pipe.c"], fixed: [{ release: "6.1.12", commit: COMMIT }] },
    ],
    refused: [],
  });
});

test("each that is damaged or hostile is told by its name, and the others are read", async () => {
  const bad: Record<string, string> = {
    "CVE-2026-2000": "",
    "CVE-2026-2001": "{",
    "CVE-2026-2002": record("CVE-2026-9999"),
    "CVE-2026-2003": record("CVE-2026-2003", { title: 7 }),
    "CVE-2026-2004": record("CVE-2026-2004", { affected: [{ programFiles: ["../../etc/passwd"] }] }),
    "CVE-2026-2005": record("CVE-2026-2005").replace("Fix it", "\\u202eFix it"),
    "CVE-2026-2006": record("CVE-2026-2006", { affected: Array(300).fill({}) }),
    "CVE-2026-2007": `{"cveMetadata":${"[".repeat(100_000)}`,
    "CVE-2026-2008": "\xff\xfe",
    "CVE-2026-2009": record("CVE-2026-2009", { title: "x".repeat(5 * 1024 * 1024) }),
    "CVE-2026-2010": "null",
    "CVE-2026-2011": record("CVE-2026-2011", { affected: [{ programFiles: "fs/pipe.c" }] }),
    "CVE-2026-2012": record("CVE-2026-2012", { affected: [{ versions: [{ version: 6, status: "unaffected" }] }] }),
    "CVE-2026-2013": record("CVE-2026-2013", { affected: [{ programFiles: ["/etc/passwd"] }] }),
    "CVE-2026-2014": record("CVE-2026-2014").slice(0, -40),
  };
  const good = "CVE-2026-3000";
  const folder = folderOf({
    ...Object.fromEntries(Object.entries(bad).map(([id, text]) => [at(id), text])),
    [at(good)]: record(good, { constructor: 1, toString: null }),
    [at(good, "dyad")]: "1:2:3",
  });
  mkdirSync(join(folder, at("CVE-2026-2020")));
  symlinkSync("/etc/passwd", join(folder, at("CVE-2026-2021")));
  execFileSync("mkfifo", [join(folder, at("CVE-2026-2022"))]);
  writeFileSync(join(folder, at("CVE-2026-2023")), "");
  truncateSync(join(folder, at("CVE-2026-2023")), 100 * 1024 * 1024);
  const { records, refused } = await readRecords(new Task(), folder);
  expect(records.map(({ id, fixed }) => [id, fixed.length])).toEqual([[good, 1]]);
  const names = [...Object.keys(bad), "CVE-2026-2020", "CVE-2026-2021", "CVE-2026-2022", "CVE-2026-2023"];
  expect(refused.map(({ file }) => file).sort()).toEqual([...names.map((id) => at(id)), at(good, "dyad")].sort());
  expect(refused.find(({ file }) => file === at(good, "dyad"))?.why).toBe("line 1 is not vulnerable release:commit:fixed release:commit");
  expect(refused.find(({ file }) => file === at("CVE-2026-2003"))?.why).toContain("containers.cna.title");
});

test("a folder that holds no records is refused", async () => {
  expect(await codeOf(() => readRecords(new Task(), folderOf({ "cve/published/README": "" })))).toBe("ACCOUNT_RECORDS");
  expect(await codeOf(() => readRecords(new Task(), folderOf({ cve: "a file" })))).toBe("ACCOUNT_RECORDS");
  expect(await codeOf(() => readRecords(new Task(), "/nowhere"))).toBe("ACCOUNT_RECORDS");
});

test("damage anywhere in a record makes it refused, or another record, and nothing else", async () => {
  const id = "CVE-2026-4000";
  const whole = record(id);
  const folder = folderOf({ [at(id)]: whole, [at("CVE-2026-4001")]: record("CVE-2026-4001") });
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length), fc.nat(20), fc.string({ unit: "binary" }), async (from, gone, put) => {
      writeFileSync(join(folder, at(id)), whole.slice(0, from) + put + whole.slice(from + gone));
      const { records, refused } = await readRecords(new Task(), folder);
      expect(records.some((one) => one.id === "CVE-2026-4001")).toBe(true);
      expect(records.length + refused.length).toBeLessThanOrEqual(2);
      for (const { files } of records) expect(files.some((file) => file.startsWith("/") || file.split("/").includes(".."))).toBe(false);
    }),
    { numRuns: 500 },
  );
});
