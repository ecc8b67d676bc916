import { expect, test } from "vitest";
import { filesOfDiff, hunksOf } from "./source-diff.ts";

const DIFF = `From somebody
Subject: [PATCH] a fix

--- a/not/a/file.c is not one
---
 fs/a.c | 2 +-

diff --git a/fs/a.c b/fs/a.c
--- a/fs/a.c
+++ b/fs/a.c
@@ -1 +1,3 @@ static int one(int a)
 	x();
+--- a/in/the/text.c
++++ b/in/the/text.c
@@ -9 +10 @@
-old
+new
\\ No newline at end of file
diff --git a/fs/new.c b/fs/new.c
--- /dev/null
+++ b/fs/new.c\t2026-01-01
@@ -0,0 +1,2 @@
+int two_more(void)
+{ one(2); }
--
2.39
`;

test("hunks by file, however their lines look", () => {
  const files = filesOfDiff(DIFF);
  expect(files.map(({ path, hunks }) => [path, hunks.map(({ lines }) => lines.length)])).toEqual([
    ["fs/a.c", [4, 4]],
    ["fs/new.c", [3]],
  ]);
});

test("those of a function are those that name it in their heading, or begin it", () => {
  const files = filesOfDiff(DIFF);
  const of = (name: string): string[] => hunksOf(files, name).map(({ path, hunk }) => `${path} ${hunk.lines[0]}`);
  expect(of("one")).toEqual(["fs/a.c @@ -1 +1,3 @@ static int one(int a)"]);
  expect(of("one.isra.0")).toEqual(of("one"));
  expect(of("two_more")).toEqual(["fs/new.c @@ -0,0 +1,2 @@"]);
  expect(of("two")).toEqual([]);
});

test("text that is no diff, or a cut one, gives what there is", () => {
  expect(filesOfDiff("")).toEqual([]);
  expect(filesOfDiff("@@ -1 +1 @@\n+x")).toEqual([]);
  expect(filesOfDiff("--- a/x\n+++ b/x\n@@ -1,99999999 +1,9 @@\n+x").map(({ hunks }) => hunks[0]?.lines.length)).toEqual([2]);
});
