import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { archOf } from "@suture/arch";
import { KernelConfig } from "@suture/kernel";
import { Task } from "@suture/task";
import { folderOf } from "@suture/testkit/folders";
import { describe, expect, it } from "vitest";
import { compilerOf, sameVersion } from "./compiler.ts";
import { linkTree, listTree } from "./links.ts";
import { preparedTree } from "./prepared.ts";

const ARCH = archOf({ machine: 62, format: { bits: 64, order: "little" } });

const task = new Task();
const CONFIG = 'CONFIG_OBJTOOL=y\nCONFIG_CC_VERSION_TEXT="gcc"\n';
const SOURCE = {
  "arch/arm/mm.c": "arm\n",
  "arch/x86/mm.c": "x86\n",
  "arch/x86/kernel/vmlinux.lds.S": "",
  "kernel/livepatch/core.c": "core\n",
  "fs/pipe.c": "pipe\n",
  Makefile: "of the source\n",
};
const OUTPUTS = {
  ".config": CONFIG,
  "Module.symvers": "0x1\tx\tvmlinux\tEXPORT_SYMBOL\t\n",
  "include/config/auto.conf": CONFIG,
  "include/config/auto.conf.cmd": "deps\n",
  "include/generated/autoconf.h": "",
  "include/generated/utsrelease.h": '#define UTS_RELEASE "6.1.0-own"\n',
  "scripts/basic/fixdep": "",
  "scripts/mod/modpost": "",
  "tools/objtool/objtool": "",
  "fs/pipe.o": "object\n",
  "fs/.pipe.o.cmd": "command\n",
  "fs/x.ko": "module\n",
  vmlinux: "",
  "vmlinux.symvers": "",
};

describe("a prepared tree", () => {
  it("is one folder, or one of outputs that leads to the source", async () => {
    const whole = folderOf({ ...SOURCE, ...OUTPUTS });
    expect(await preparedTree(whole)).toMatchObject({ source: whole, outputs: whole, release: "6.1.0-own" });
    const source = folderOf(SOURCE);
    const outputs = folderOf({ ...OUTPUTS, Makefile: `include ${source}/Makefile\n` });
    expect(await preparedTree(outputs)).toMatchObject({ source, outputs });
    symlinkSync(source, join(outputs, "source"));
    writeFileSync(join(outputs, "Makefile"), "something else\n");
    expect(await preparedTree(outputs)).toMatchObject({ source, outputs });
  });

  it("has its state in the files that it is made of, not in those that were built of them", async () => {
    const root = folderOf({ ...SOURCE, ...OUTPUTS });
    const stateOf = async (): Promise<string> => (await listTree(task, await preparedTree(root), ARCH)).state;
    const before = await stateOf();
    writeFileSync(join(root, "fs/pipe.o"), "another\n");
    writeFileSync(join(root, "fs/new.o"), "new\n");
    expect(await stateOf()).toBe(before);
    writeFileSync(join(root, "fs/pipe.c"), "pipf\n");
    const after = await stateOf();
    expect(after).not.toBe(before);
    writeFileSync(join(root, "fs/new.h"), "new\n");
    expect(await stateOf()).not.toBe(after);
  });

  it("has its state in the files that its links lead to", async () => {
    const elsewhere = folderOf({ "a.c": "1\n" });
    const root = folderOf({ ...SOURCE, ...OUTPUTS });
    symlinkSync(join(elsewhere, "a.c"), join(root, "fs/a.c"));
    symlinkSync("nowhere", join(root, "fs/b.c"));
    const stateOf = async (): Promise<string> => (await listTree(task, await preparedTree(root), ARCH)).state;
    const before = await stateOf();
    expect(await stateOf()).toBe(before);
    await setTimeout(20);
    writeFileSync(join(elsewhere, "a.c"), "2\n");
    expect(await stateOf()).not.toBe(before);
  });

  it("is linked to without what was built, and with copies of what make writes itself", async () => {
    const source = folderOf(SOURCE);
    const outputs = folderOf({ ...OUTPUTS, Makefile: `include ${source}/Makefile\n` });
    const tree = await preparedTree(outputs);
    const into = join(folderOf({}), "links");
    mkdirSync(into);
    await linkTree(task, tree, ARCH, await listTree(task, tree, ARCH), into);
    expect(readlinkSync(join(into, "fs/pipe.c"))).toBe(join(source, "fs/pipe.c"));
    expect(readFileSync(join(into, "Makefile"), "utf8")).toBe(SOURCE.Makefile);
    expect(existsSync(join(into, "arch/x86/kernel/vmlinux.lds.S"))).toBe(true);
    expect(readlinkSync(join(into, "arch/arm"))).toBe(join(source, "arch/arm"));
    expect(readlinkSync(join(into, "arch/x86/mm.c"))).toBe(join(source, "arch/x86/mm.c"));
    expect(readlinkSync(join(into, "tools/objtool/objtool"))).toBe(join(outputs, "tools/objtool/objtool"));
    for (const made of ["fs/pipe.o", "fs/.pipe.o.cmd", "fs/x.ko", "vmlinux", "vmlinux.symvers"])
      expect(existsSync(join(into, made)), made).toBe(false);
    for (const copy of [".config", "include/config/auto.conf", "include/generated/autoconf.h"])
      expect(lstatSync(join(into, copy)).isSymbolicLink(), copy).toBe(false);
    expect(readFileSync(join(into, "include/config/auto.conf.cmd"), "utf8")).toBe("");
    expect(readFileSync(join(outputs, "include/config/auto.conf.cmd"), "utf8")).toBe("deps\n");
    expect(lstatSync(join(into, ".config")).mtimeMs).toBeLessThan(lstatSync(join(into, "include/config/auto.conf")).mtimeMs);
  });

  it.each(["scripts/mod/modpost", "include/generated/utsrelease.h", "tools/objtool/objtool", "include/config/auto.conf"])(
    "is not prepared without %s",
    async (file) => {
      const root = folderOf({ ...SOURCE, ...OUTPUTS });
      rmSync(join(root, file));
      await expect(preparedTree(root)).rejects.toMatchObject({ code: "TREE_NOT_PREPARED", message: expect.stringContaining(file) });
    },
  );
});

describe("the compiler of a tree", () => {
  const [line = ""] = execFileSync("gcc", ["--version"], { encoding: "utf8" }).split("\n");
  const config = (text: string): KernelConfig => KernelConfig.parse(`CONFIG_CC_VERSION_TEXT="${text}"`, "config");

  it("is found by its version, whatever it is called", async () => {
    expect(await compilerOf(task, config(line), undefined, "tree")).toBe("gcc");
    expect(await compilerOf(task, config(line.replace("gcc", "x86_64-somebody-gcc")), undefined, "tree")).toMatch(/^gcc(?:-\d+)?$/);
    expect(sameVersion("gcc (Debian 12.2.0-14) 12.2.0", "gcc-12 (Debian 12.2.0-14) 12.2.0")).toBe(true);
    expect(sameVersion("gcc (Debian 12.2.0-14) 12.2.0", "gcc (Ubuntu 12.2.0-14) 12.2.0")).toBe(false);
  });

  it("is refused where another version is installed, with both named", async () => {
    await expect(compilerOf(task, config("gcc (Ubuntu 12.3.0-1) 12.3.0"), undefined, "tree")).rejects.toMatchObject({
      code: "SOURCE_COMPILER_MISSING",
      message: expect.stringContaining(`gcc is ${line}`),
    });
  });
});
