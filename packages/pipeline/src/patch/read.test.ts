import { codeOf } from "@suture/testkit/folders";
import { describe, expect, it } from "vitest";
import { parseSourcePatch } from "./read.ts";

const HUNK = "@@ -1,3 +1,3 @@ int f\n a\n-b\n+c\n d\n";
const parse = (text: string) => parseSourcePatch(Buffer.from(text, "latin1"), "dir/fix.patch");

describe("reading patches", () => {
  it("reads what git format-patch writes, with its signature", async () => {
    const patch = await parse(
      `From 0123456789abcdef Mon Sep 17 00:00:00 2001\nFrom: A <a@b>\nSubject: [PATCH 1/2] fs: mend\n the thing\n\nFor CVE-2024-12345.\n---\n fs/x.c | 2 +-\n\n` +
        `diff --git a/fs/x.c b/fs/x.c\nindex 1..2 100644\n--- a/fs/x.c\n+++ b/fs/x.c\n${HUNK}-- \n2.39.2\n\n`,
    );
    expect(patch).toMatchObject({ name: "fix.patch", subject: "fs: mend the thing", cves: [], mentioned: ["CVE-2024-12345"] });
    expect(patch.changes.map((c) => [c.oldName, c.newName])).toEqual([["a/fs/x.c", "b/fs/x.c"]]);
  });

  it("keeps a removed line that looks like a signature", async () => {
    const patch = await parse("--- a/x.c\n+++ b/x.c\n@@ -1,3 +1,2 @@\n a\n-- \n d\n");
    expect(patch.changes[0]?.hunks[0]?.lines).toEqual([" a", "-- ", " d"]);
  });

  it("reads several patches in one mailbox", async () => {
    const mail = (file: string): string =>
      `From 0123456789abcdef Mon Sep 17 00:00:00 2001\nSubject: [PATCH] x\n\n---\ndiff --git a/${file} b/${file}\n--- a/${file}\n+++ b/${file}\n${HUNK}-- \n2.39.2\n\n`;
    expect((await parse(mail("x.c") + mail("y.c"))).changes.map((c) => c.newName)).toEqual(["b/x.c", "b/y.c"]);
  });

  it("begins an encoded mail's body where its header ends, be there an empty line or not", async () => {
    const body = Buffer.from(`It was wrong.\n---\n--- a/x.c\n+++ b/x.c\n${HUNK}`).toString("base64");
    const head = "From 0123456789abcdef Mon Sep 17 00:00:00 2001\nSubject: [PATCH] x\nContent-Transfer-Encoding: base64\n";
    for (const between of ["", "\n"]) expect((await parse(`${head}${between}${body}\n`)).changes.map((c) => c.newName)).toEqual(["b/x.c"]);
  });

  it("reads lines that end with carriage returns, and plain diffs with dates", async () => {
    const text = `--- x.c.orig\t2024-01-01\n+++ x.c\t2024-01-02\n${HUNK}`.replaceAll("\n", "\r\n");
    expect((await parse(text)).changes[0]).toMatchObject({ newName: "x.c" });
  });

  it.each([
    ["nothing", ""],
    ["words", "hello\n"],
    ["a cut hunk", "--- a/x.c\n+++ b/x.c\n@@ -1,3 +1,3 @@\n a\n-b\n"],
  ])("refuses %s", async (_, text) => {
    expect(await codeOf(() => parse(text))).toBe("PATCH_UNREADABLE");
  });
});
