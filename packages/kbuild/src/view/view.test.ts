import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { folderOf } from "@suture/testkit/folders";
import { describe, expect, it, onTestFinished } from "vitest";
import { SourceView } from "./view.ts";

const TREE = {
  "fs/a.h": "int old;\n",
  "fs/a.c": '#include "a.h"\n',
  "fs/sub/b.c": '#include "../a.h"\n',
  "fs/sub/deep/c.c": '#include "../../a.h"\n',
  "mm/d.c": '#include "../fs/a.h"\n',
  "top.c": '#include "fs/a.h"\n',
};

async function viewOf(overlay: Record<string, string>, tree = folderOf(TREE)): Promise<SourceView> {
  const view = await SourceView.make(tree, new Map(Object.entries(overlay)));
  onTestFinished(() => view.dispose());
  return view;
}

const preprocess = (view: SourceView, file: string): string =>
  execFileSync("gcc", ["-E", "-P", file], { cwd: view.root, encoding: "utf8" });

describe("the scratch view of a source", () => {
  it.each(["fs/a.c", "fs/sub/b.c", "fs/sub/deep/c.c", "top.c"])("shows the changed header to %s", async (file) => {
    expect(preprocess(await viewOf({ "fs/a.h": "int new;\n" }), file).trim()).toBe("int new;");
  });

  it("leaves the tree as it is", async () => {
    const tree = folderOf(TREE);
    await viewOf({ "fs/a.h": "int new;\n", "fs/new/x.c": "x\n" }, tree);
    expect(readFileSync(join(tree, "fs/a.h"), "latin1")).toBe("int old;\n");
    expect(existsSync(join(tree, "fs/new"))).toBe(false);
  });

  it("has new files in new folders", async () => {
    const view = await viewOf({ "fs/new/x.h": "int x;\n" });
    expect(readFileSync(join(view.root, "fs/new/x.h"), "latin1")).toBe("int x;\n");
  });

  it("tells when a compiler read the original of a changed file", async () => {
    const view = await viewOf({ "fs/a.h": "int new;\n" });
    // mm is a link into the tree, where .. leads back to the original.
    expect(preprocess(view, "mm/d.c").trim()).toBe("int old;");
    expect(await view.stray(["mm/d.c", "mm/../fs/a.h"])).toBe("fs/a.h");
    expect(await view.stray(["fs/a.c", "fs/a.h", "fs/sub/../a.h"])).toBeUndefined();
  });

  it("shows changed files to compilers that go through another folder", async () => {
    const tree = folderOf({ ...TREE, "arch/x86/mm/x.c": "" });
    const view = await SourceView.make(tree, new Map([["fs/a.c", "int new;\n"]]), ["arch/x86/mm"]);
    onTestFinished(() => view.dispose());
    expect(preprocess(view, "arch/x86/mm/../../../fs/a.c").trim()).toBe("int new;");
  });

  it("is gone when it is disposed of", async () => {
    const view = await SourceView.make(folderOf(TREE), new Map([["top.c", "x"]]));
    await view.dispose();
    expect(existsSync(view.root)).toBe(false);
  });

  it("names the folder of a module as it was, and compiles in the kernel's tree", async () => {
    const kernel = folderOf({ "include/k.h": "int kernel;\n" });
    const module = folderOf({ "inc/m.h": "int old;\n", "m.c": '#include "k.h"\n#include "m.h"\nconst char *file = __FILE__;\n' });
    const view = await SourceView.make(module, new Map([["inc/m.h", "int new;\n"]]), [], kernel);
    onTestFinished(() => view.dispose());
    const line = `gcc -I./include -I${module}/inc -E -P ${module}/m.c`;
    const run = (command: string): string => execFileSync("sh", ["-c", command], { cwd: view.cwd, encoding: "utf8" });
    expect(run(view.compile(line))).toBe(`int kernel;\nint new;\nconst char *file = "${module}/m.c";\n`);
    expect(run(SourceView.of(module, kernel).compile(line))).toContain("int old;");
    expect(await view.stray([`${module}/inc/m.h`])).toBe("inc/m.h");
    expect(await view.stray([`${view.root}/inc/m.h`, "./include/k.h"])).toBeUndefined();
  });

  it("names the folder of a module as it was, and compiles in that folder", async () => {
    const kernel = folderOf({ "include/k.h": "int kernel;\n" });
    const module = folderOf({ "inc/m.h": "int old;\n", "m.c": '#include "k.h"\n#include "m.h"\nconst char *file = __FILE__;\n' });
    const view = await SourceView.make(module, new Map([["inc/m.h", "int new;\n"]]), [], module);
    onTestFinished(() => view.dispose());
    const run = (command: string): string => execFileSync("sh", ["-c", command], { cwd: view.cwd, encoding: "utf8" });
    for (const include of ["./inc", `${module}/inc`])
      expect(run(view.compile(`gcc -I${kernel}/include -I${include} -E -P m.c`))).toBe(
        'int kernel;\nint new;\nconst char *file = "m.c";\n',
      );
    const other = await view.another(new Map([["inc/m.h", "int third;\n"]]));
    onTestFinished(() => other.dispose());
    expect(run(other.compile(`gcc -I${module}/inc -E -P ${module}/inc/m.h`))).toBe("int third;\n");
    expect(await view.stray([`${module}/inc/m.h`])).toBe("inc/m.h");
    expect(await view.stray(["./inc/m.h"])).toBeUndefined();
  });

  it("does not write through a link to a folder", async () => {
    const elsewhere = folderOf({ "x.c": "int old;\n", "y.c": "int other;\n" });
    const tree = folderOf({ "fs/a.c": "" });
    symlinkSync(elsewhere, join(tree, "linked"));
    const view = await viewOf({ "linked/x.c": "int new;\n" }, tree);
    expect(readFileSync(join(view.root, "linked/x.c"), "latin1")).toBe("int new;\n");
    expect(readFileSync(join(view.root, "linked/y.c"), "latin1")).toBe("int other;\n");
    expect(readFileSync(join(elsewhere, "x.c"), "latin1")).toBe("int old;\n");
  });
});
