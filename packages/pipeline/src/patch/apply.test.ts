import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { codeOf, folderOf } from "@suture/testkit/folders";
import { describe, expect, it } from "vitest";
import { applyPatches } from "./apply.ts";
import { parseSourcePatch, type SourcePatch } from "./read.ts";

const patchOf = (text: string) => parseSourcePatch(Buffer.from(text, "latin1"), "fix.patch");
const change = (names: [string, string], body: string) => patchOf(`--- ${names[0]}\n+++ ${names[1]}\n${body}`);
const applied = async (tree: string, patches: readonly Promise<SourcePatch>[]) => applyPatches(tree, await Promise.all(patches));
const HUNK = "@@ -1,3 +1,3 @@\n a\n-b\n+c\n d\n";

describe("applying patches", () => {
  it.each([
    ["-p1", "a/fs/x.c", "b/fs/x.c"],
    ["-p0", "fs/x.c", "fs/x.c"],
  ])("finds the file with %s", async (_, from, to) => {
    const tree = folderOf({ "fs/x.c": "a\nb\nd\n" });
    expect(await applied(tree, [change([from, to], HUNK)])).toEqual({
      files: [{ path: "fs/x.c", before: "a\nb\nd\n", after: "a\nc\nd\n" }],
      notes: [],
    });
  });

  it("tells a file that cannot be read from one that is not there", async () => {
    const tree = folderOf({});
    symlinkSync("x.c", join(tree, "x.c"));
    expect(await codeOf(async () => applyPatches(tree, [await change(["a/x.c", "b/x.c"], HUNK)]))).toBe("SOURCE_TREE");
    expect(await codeOf(async () => applyPatches(tree, [await change(["a/y.c", "b/y.c"], HUNK)]))).toBe("PATCH_DOES_NOT_APPLY");
  });

  it("lets hunks move, and keeps bytes that are no UTF-8", async () => {
    const tree = folderOf({ "x.c": "\xe9\n1\n2\na\nb\nd\n" });
    const moved = HUNK.replaceAll("1,3", "2,3");
    expect(await applied(tree, [change(["a/x.c", "b/x.c"], moved)])).toMatchObject({
      files: [{ after: "\xe9\n1\n2\na\nc\nd\n" }],
      notes: [{ object: "x.c", text: "hunk 1 of x.c went in 2 lines further down" }],
    });
  });

  it("applies one patch upon the other; what undoes itself is no change", async () => {
    const tree = folderOf({ "x.c": "a\nb\nd\n" });
    const back = change(["a/x.c", "b/x.c"], "@@ -1,3 +1,3 @@\n a\n-c\n+b\n d\n");
    expect(await applied(tree, [change(["a/x.c", "b/x.c"], HUNK), back])).toEqual({ files: [], notes: [] });
  });

  it("names the function and the patch where one patch meets what another has changed", async () => {
    const text = "#include <x.h>\n\nstatic int first(int a)\n{\n\treturn a;\n}\n\nint second(void)\n{\n\treturn 2;\n}\n";
    const edit = (name: string, to: string) =>
      parseSourcePatch(
        Buffer.from(`--- a/x.c\n+++ b/x.c\n@@ -8,4 +8,4 @@\n int second(void)\n {\n-\treturn 2;\n+\treturn ${to};\n }\n`),
        name,
      );
    await expect(applied(folderOf({ "x.c": text }), [edit("one.patch", "3"), edit("two.patch", "4")])).rejects.toMatchObject({
      code: "PATCH_CONFLICT",
      message: "x.c: hunk 1 of 1, in second, meets what one.patch changed there",
      where: { file: "two.patch", symbol: "second" },
    });
  });

  it("makes new files", async () => {
    const patch = change(["/dev/null", "b/fs/new.h"], "@@ -0,0 +1,2 @@\n+x\n+y\n");
    expect(await applied(folderOf({}), [patch])).toEqual({ files: [{ path: "fs/new.h", before: undefined, after: "x\ny\n" }], notes: [] });
  });

  it.each([
    ["whose context is not there", "a\nX\nd\n", "hunk 1 of 1 (line 1; line 3 of the patch) does not apply"],
    ["that is applied already", "a\nc\nd\n", "this source has the change already"],
  ])("refuses a patch %s", async (_, text, why) => {
    await expect(applied(folderOf({ "x.c": text }), [change(["a/x.c", "b/x.c"], HUNK)])).rejects.toMatchObject({
      code: "PATCH_DOES_NOT_APPLY",
      message: expect.stringContaining(why),
    });
  });

  it.each(["b/../../etc/passwd", "/etc/passwd", "../../x.c"])("never leaves the source: %s", async (name) => {
    const tree = folderOf({ "x.c": "a\nb\nd\n" });
    expect(await codeOf(() => applied(tree, [change([name, name], HUNK)]))).toBe("PATCH_DOES_NOT_APPLY");
    expect(await codeOf(() => applied(tree, [change(["/dev/null", name], "@@ -0,0 +1 @@\n+x\n")]))).toBe("PATCH_DOES_NOT_APPLY");
  });
});
