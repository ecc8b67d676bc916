import { archOf } from "@suture/arch";
import type { Target } from "@suture/sources";
import { Task } from "@suture/task";
import { folderOf } from "@suture/testkit/folders";
import { describe, expect, it } from "vitest";
import { IncludeGraph, includesOf } from "./includes.ts";

describe("what a changed file reaches", () => {
  const folders = new Set(["include", "net/lib"]);

  it("follows includes by folder, by the compiler's folders and through others", () => {
    const graph = new IncludeGraph([
      ["fs/a.c", "linux/fs.h"],
      ["include/linux/fs.h", "linux/types.h"],
      ["fs/b.c", "internal.h"],
      ["mm/c.c", "internal.h"],
      ["mm/d.c", "../fs/internal.h"],
      ["net/e.c", "sk.h"],
      ["net/f.c", "./lib/../lib/sk.h"],
      ["mm/g.c", "linux/sk.h"],
    ]);
    expect([...graph.reach(["include/linux/types.h"], folders)].sort()).toEqual(["fs/a.c", "include/linux/fs.h", "include/linux/types.h"]);
    // "internal.h" in mm is another file: the compiler does not look in fs.
    expect([...graph.reach(["fs/internal.h"], folders)].sort()).toEqual(["fs/b.c", "fs/internal.h", "mm/d.c"]);
    expect([...graph.reach(["net/lib/sk.h"], folders)].sort()).toEqual(["net/e.c", "net/f.c", "net/lib/sk.h"]);
    expect([...graph.namesFrom(["fs/a.c", "mm/d.c"])].sort()).toEqual(["fs.h", "internal.h", "types.h"]);
  });

  it("tells which folders a compiler leaves by .. on the way to a changed file", () => {
    const graph = new IncludeGraph([
      ["arch/x/vdso/v.c", "../../../lib/time.c"],
      ["arch/x/vdso/32/v.c", "../v.c"],
      ["lib/time.c", "help.h"],
      ["fs/b.c", "../lib/other.h"],
      ["net/f.c", "./lib/../lib/sk.h"],
      ["mm/g.c", "../up.h"],
    ]);
    const vdso = ["arch/x/vdso", "arch/x", "arch", "arch/x/vdso/32"];
    expect([...graph.detours(["lib/help.h"], folders)]).toEqual(expect.arrayContaining(["arch/x/vdso", "arch/x/vdso/32"]));
    expect([...graph.detours(["lib/help.h"], folders)].filter((folder) => !vdso.includes(folder))).toEqual([]);
    expect([...graph.detours(["net/lib/sk.h"], folders)]).toEqual(["net/lib"]);
    expect([...graph.detours(["net/up.h"], folders)]).toEqual(["net/lib"]);
    expect([...graph.detours(["fs/b.c"], folders)]).toEqual([]);
  });

  it("reads a tree, and what the patch makes of it", async () => {
    const tree = folderOf({
      "fs/a.c": " # include <linux/x.h>\n",
      "include/linux/x.h": "",
      "arch/x86/y.c": "",
      "tools/z.c": '#include "x.h"\n',
    });
    const target = {
      release: "x",
      tree,
      arch: archOf({ machine: 62, format: { bits: 64, order: "little" } }),
      make: [],
      inputs: [],
    } as unknown as Target;
    const graph = await includesOf(new Task(), target, folderOf({}), new Map([["fs/new.c", '#include "x.h"\n']]));
    expect([...graph.reach(["include/linux/x.h"], new Set(["include", "include/linux"]))].sort()).toEqual([
      "fs/a.c",
      "fs/new.c",
      "include/linux/x.h",
    ]);
  });
});
