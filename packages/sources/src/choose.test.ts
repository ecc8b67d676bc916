import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { folderOf } from "@suture/testkit/folders";
import { expect, it } from "vitest";
import { installedTree } from "./choose.ts";

const RELEASE = "6.1.0-own";

/** A file system with a kernel whose `build` leads to `tree`. */
function rootWith(tree: string): string {
  const root = folderOf({ [`boot/vmlinuz-${RELEASE}`]: "" });
  mkdirSync(join(root, "lib/modules", RELEASE), { recursive: true });
  symlinkSync(tree, join(root, "lib/modules", RELEASE, "build"));
  return root;
}

it("is the tree that an installed kernel was built in, with its image and modules", async () => {
  const root = rootWith(folderOf({ "kernel/livepatch/core.c": "" }));
  expect(await installedTree(RELEASE, root)).toEqual({
    tree: join(root, "lib/modules", RELEASE, "build"),
    image: join(root, "boot", `vmlinuz-${RELEASE}`),
    modules: join(root, "lib/modules", RELEASE),
  });
});

it("may be a folder of outputs that leads to the source", async () => {
  const outputs = folderOf({ Makefile: "" });
  symlinkSync(folderOf({ "kernel/livepatch/core.c": "" }), join(outputs, "source"));
  expect(await installedTree(RELEASE, rootWith(outputs))).toBeDefined();
});

it("is not a headers package, as distributions install it", async () => {
  expect(await installedTree(RELEASE, rootWith(folderOf({ Makefile: "", "Module.symvers": "x" })))).toBeUndefined();
  expect(await installedTree("another", rootWith(folderOf({ Makefile: "" })))).toBeUndefined();
});
