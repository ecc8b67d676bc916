import { KernelConfig, type KernelImage } from "@suture/kernel";
import { folderOf } from "@suture/testkit/folders";
import { expect, test } from "vitest";
import { asBuiltIn, buildPathOf } from "./build-path.ts";

test("files of the tree are said to be where they were built, and no others", () => {
  const markers = (path: string): string => `# 12 "${path}" 2\nint x;\n`;
  const turned = (path: string): string => asBuiltIn("/build/linux", markers(path));
  expect(turned("fs/pipe.c")).toBe(markers("/build/linux/fs/pipe.c"));
  expect(turned("./include/linux/fs.h")).toBe(markers("/build/linux/include/linux/fs.h"));
  for (const path of ["<built-in>", "/usr/lib/gcc/stddef.h", "./include/generated/autoconf.h", "./arch/x86/include/generated/asm/x.h"])
    expect(turned(path)).toBe(markers(path));
  expect(asBuiltIn("/build/linux", '#define A "fs/pipe.c"\n')).toBe('#define A "fs/pipe.c"\n');
});

test("the folder is the one that most texts of the kernel name", () => {
  const tree = folderOf({ "fs/pipe.c": "", "include/linux/fs.h": "", "include/generated/a.h": "" });
  const image = (...texts: string[]): KernelImage => {
    const bytes = Buffer.from(`\0${texts.join("\0")}\0`, "latin1");
    const section = { name: ".rodata", address: 0, size: bytes.length, nobits: false };
    return { sections: [section], read: () => bytes } as unknown as KernelImage;
  };
  const config = (text: string): KernelConfig => KernelConfig.parse(text, ".config");
  const texts = [
    "/b/linux/fs/pipe.c",
    "/b/linux/include/linux/fs.h",
    "/b/out/include/generated/a.h",
    "/etc/other.c",
    "x/b/linux/fs/pipe.c",
  ];
  expect(buildPathOf(image(...texts), config("CONFIG_UBSAN=y\n"), tree)).toBe("/b/linux");
  expect(buildPathOf(image(...texts), config(""), tree)).toBeUndefined();
  expect(buildPathOf(image("fs/pipe.c"), config("CONFIG_UBSAN=y\n"), tree)).toBeUndefined();
});
