/** Files that are no changelogs, or were made to do harm: each is refused with its code, in time and memory that are bounded. */
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { Task } from "@suture/task";
import { codeOf, folderOf } from "@suture/testkit/folders";
import { expect, test } from "vitest";
import { changelogOfPackage } from "./of-package.ts";
import { readChangelog } from "./read.ts";

const TEXT = `linux (6.1.12-1) s; urgency=low\n\n  * Fix it (CVE-2026-12345)\n\n -- N <n@example.org>  Mon, 16 Nov 2026 11:17:40 +0100\n
linux (6.1.10-1) s; urgency=low\n\n  * Before\n\n -- N <n@example.org>  Mon, 16 Oct 2026 11:17:40 +0100\n`;
const PACKED = gzipSync(TEXT);

test("a whole one is read, packed or not", async () => {
  const folder = folderOf({ plain: TEXT });
  writeFileSync(join(folder, "packed.gz"), PACKED);
  for (const name of ["plain", "packed.gz"]) {
    const { changes } = await readChangelog(join(folder, name), "6.1.10-1", "6.1.12-1");
    expect(changes.map(({ subject, cves }) => [subject, ...cves])).toEqual([["Fix it", "CVE-2026-12345"]]);
  }
});

test("one that is torn, too large, unpacks to too much, is no text or no file is refused", async () => {
  const folder = folderOf({ binary: "\xff\xfe\x00linux", empty: "" });
  const at = (name: string): string => join(folder, name);
  writeFileSync(at("torn.gz"), PACKED.subarray(0, -10));
  writeFileSync(at("changed.gz"), Buffer.concat([PACKED.subarray(0, 30), Buffer.from([0xff, 0xff]), PACKED.subarray(32)]));
  writeFileSync(at("bomb.gz"), gzipSync(Buffer.alloc(100 * 1024 * 1024, "x")));
  writeFileSync(at("large"), "");
  truncateSync(at("large"), 2 ** 40);
  mkdirSync(at("folder"));
  symlinkSync("/nowhere", at("nowhere"));
  execFileSync("mkfifo", [at("pipe")]);
  const names = ["binary", "empty", "torn.gz", "changed.gz", "bomb.gz", "large", "folder", "nowhere", "pipe", "absent"];
  for (const name of names)
    expect([name, await codeOf(() => readChangelog(at(name), "6.1.10-1", "6.1.12-1"))]).toEqual([name, "ACCOUNT_CHANGELOG"]);
});

test("of a package that is none, that has none, or that has it outside of its folder, nothing is taken", async () => {
  const folder = folderOf({ "linux-image-a_1_amd64.deb": "no package", "out/keep": "" });
  const take = (deb: string) => codeOf(() => changelogOfPackage(new Task(), join(folder, deb), join(folder, "out")));
  expect(await take("linux-image-a_1_amd64.deb")).toBe("ACCOUNT_CHANGELOG");
  expect(await take("absent_1_amd64.deb")).toBe("ACCOUNT_CHANGELOG");
  // A name with folders in it is that of a file in them, and never leads out of the package.
  expect(await take("..%2f..%2f_1_amd64.deb")).toBe("ACCOUNT_CHANGELOG");
});
