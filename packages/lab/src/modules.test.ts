import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { Task } from "@suture/task";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadOrder, nameOfModule } from "./modules.ts";

let tree: string;

beforeEach(async () => {
  tree = await mkdtemp(join(tmpdir(), "suture-lab-tree-"));
});

afterEach(() => rm(tree, { recursive: true }));

async function put(path: string, fields: Record<string, string>): Promise<void> {
  const text = Object.entries(fields).map(([key, value]) => `${key}=${value}\0`);
  const data = Buffer.from(`\x7fELF text says depends=wrong\0${text.join("")}rest`, "latin1");
  await mkdir(dirname(join(tree, path)), { recursive: true });
  await writeFile(join(tree, path), path.endsWith(".gz") ? gzipSync(data) : data);
}

const names = async (...wanted: string[]): Promise<string[]> => (await loadOrder(new Task(), tree, wanted)).map(({ name }) => name);

test("each module comes after what it needs, once", async () => {
  await put("kernel/net/nf_nat.ko", { name: "nf_nat", depends: "nf_conntrack,libcrc32c" });
  await put("kernel/net/nf_conntrack.ko.gz", { name: "nf_conntrack", depends: "nf-defrag,libcrc32c" });
  await put("kernel/net/nf-defrag.ko", { depends: "" });
  await put("kernel/lib/libcrc32c.ko", { softdep: "pre: crc32c_fast alias-only post: later", depends: "" });
  await put("kernel/lib/crc32c-fast.ko", {});
  expect(await names("nf_nat")).toEqual(["nf_defrag", "crc32c_fast", "libcrc32c", "nf_conntrack", "nf_nat"]);
  expect(await names("crc32c-fast", "nf_conntrack")).toEqual(["crc32c_fast", "nf_defrag", "libcrc32c", "nf_conntrack"]);
});

test("built-in modules need no loading, missing ones are named", async () => {
  await put("kernel/fs/a.ko", { depends: "b,c" });
  await put("kernel/fs/b.ko", { depends: "a" });
  await writeFile(join(tree, "modules.builtin"), "kernel/fs/c.ko\n");
  expect(await names("a", "c")).toEqual(["b", "a"]);
  await writeFile(join(tree, "modules.builtin"), "");
  await expect(names("a")).rejects.toMatchObject({ code: "LAB_MODULE_MISSING", message: expect.stringContaining("c, which a needs") });
  await expect(loadOrder(new Task(), join(tree, "none"), ["a"])).rejects.toMatchObject({ code: "LAB_FILE_UNREADABLE" });
});

test("a module that cannot be unpacked is refused", async () => {
  await writeFile(join(tree, "a.ko.xz"), "no xz");
  await expect(names("a")).rejects.toMatchObject({ code: "LAB_FILE_UNREADABLE" });
});

test("a module's own name", () => {
  expect(nameOfModule(Buffer.from("\0name=livepatch_a\0"), "x.ko")).toBe("livepatch_a");
  expect(nameOfModule(Buffer.from("filename=b\0\0name=a-b\0"), "x.ko")).toBe("a-b");
  for (const text of ["", "\0name=\0", "\0name=a", "\0name=../../x\0", "\0name=a b\0"])
    expect(() => nameOfModule(Buffer.from(text), "x.ko")).toThrow("no kernel module");
});
