import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { Task } from "@suture/task";
import { folderOf } from "@suture/testkit/folders";
import { expect, it } from "vitest";
import { examineCache } from "../findings.ts";
import { examineTree } from "./examine.ts";

const [GCC = ""] = execFileSync("gcc", ["--version"], { encoding: "utf8" }).split("\n");
const OPTIONS = ["X86_64", "MODULES", "SYSFS", "KALLSYMS_ALL", "DYNAMIC_FTRACE_WITH_REGS", "LIVEPATCH", "UNWINDER_ORC", "MODULE_UNLOAD"];

function treeWith(options: readonly string[], compiler = GCC, more: Record<string, string> = {}): string {
  const config = `${options.map((option) => `CONFIG_${option}=y`).join("\n")}\nCONFIG_CC_VERSION_TEXT="${compiler}"\n`;
  return folderOf({
    "kernel/livepatch/core.c": "",
    ".config": config,
    "include/config/auto.conf": config,
    "include/generated/autoconf.h": "",
    "include/generated/utsrelease.h": '#define UTS_RELEASE "6.1.0-own"\n',
    "scripts/basic/fixdep": "",
    "scripts/mod/modpost": "",
    "Module.symvers": "x",
    ...more,
  });
}

const bad = async (tree: string): Promise<string[]> =>
  (await examineTree(new Task(), tree)).filter(({ outcome }) => outcome === "bad").map(({ found, mend }) => `${found} | ${mend}`);

it("finds nothing wrong with a prepared tree of this machine's compiler", async () => {
  const found = await examineTree(new Task(), treeWith(OPTIONS));
  expect(found.filter(({ outcome }) => outcome === "bad")).toEqual([]);
  expect(found.map(({ what }) => what)).toEqual(expect.arrayContaining(["tree", "livepatching", "compiler", "types", "tools"]));
  // Each thing that is to be mended has a command for it.
  for (const { outcome, mend } of found) expect(mend !== "").toBe(outcome !== "good");
});

it("names the option that is missing, and the command that sets it", async () => {
  const tree = treeWith(OPTIONS.filter((option) => option !== "LIVEPATCH"));
  expect(await bad(tree)).toEqual([expect.stringMatching(/^CONFIG_LIVEPATCH=y is needed: .*scripts\/config .*-e CONFIG_LIVEPATCH;/)]);
});

it("names the compiler that is missing, and LLVM", async () => {
  expect(await bad(treeWith(OPTIONS, "gcc-99 (Nobody) 99.1.0"))).toEqual([expect.stringContaining("apt-get install gcc-99")]);
  expect((await bad(treeWith([...OPTIONS, "CC_IS_CLANG"], "clang version 19"))).join()).toContain("CONFIG_CC_IS_CLANG=n is needed");
});

it("tells what keeps a folder from being a prepared tree", async () => {
  expect(await bad(treeWith(OPTIONS, GCC, { "Module.symvers": "" }))).toEqual([expect.stringContaining("TREE_NO_SYMVERS")]);
  expect(await bad(folderOf({}))).toEqual([expect.stringContaining("TREE_NOT_A_KERNEL")]);
});

it("tells what keeps the cache from being worked in", async () => {
  const folder = folderOf({ file: "" });
  expect(await examineCache(new Task(), join(folder, "cache"))).toMatchObject({ outcome: "good" });
  expect(await examineCache(new Task(), join(folder, "a b"))).toMatchObject({
    outcome: "bad",
    found: "CACHE_PATH: its path has a space",
    mend: expect.stringContaining("XDG_CACHE_HOME"),
  });
  expect(await examineCache(new Task(), join(folder, "file/cache"))).toMatchObject({
    outcome: "bad",
    found: expect.stringContaining("CACHE_UNWRITABLE"),
  });
});
