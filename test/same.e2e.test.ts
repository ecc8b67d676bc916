/** Two modules that differ are told apart part by part. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, Task } from "@suture/task";
import { afterAll, beforeAll, expect, it } from "vitest";
import { differingParts, PATCHED_SUMS, UPON_SUM } from "../qualification/same/parts.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "suture-same-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function moduleOf(code: string, manifest: object): Promise<Uint8Array> {
  writeFileSync(join(folder, "one.c"), code);
  writeFileSync(join(folder, "manifest"), JSON.stringify(manifest));
  await run(new Task(), ["gcc", "-O2", "-c", "-o", join(folder, "one.o"), join(folder, "one.c")]);
  await run(new Task(), ["objcopy", `--add-section=.suture=${join(folder, "manifest")}`, join(folder, "one.o")]);
  return readFileSync(join(folder, "one.o"));
}

const CODE = "int data = 1; int f(int a) { return a + data; }";
const inputs = [
  { kind: "patch", name: "a.patch", sha256: "44" },
  { kind: "livepatch", name: "b.ko", sha256: "55" },
];
const manifest = { name: "a", inputs, objects: [{ path: "a.o", original: "11", patched: "22" }] };

it("names the sections and members of the manifest that differ, and the sums of patched objects apart", async () => {
  const same = await moduleOf(CODE, manifest);
  const differing = async (code: string, other: object): Promise<string[]> => differingParts(same, await moduleOf(code, other));
  expect(await differing(CODE, manifest)).toEqual([]);
  expect(await differing(CODE.replace("+", "*"), manifest)).toContain("section .text");
  expect(await differing(CODE.replace("= 1", "= 2"), manifest)).toEqual(["section .data"]);
  expect(await differing(CODE, { ...manifest, name: "b" })).toEqual(["manifest: name"]);
  expect(await differing(CODE, { ...manifest, objects: [{ ...manifest.objects[0], patched: "33" }] })).toEqual([PATCHED_SUMS]);
  expect(await differing(CODE, { ...manifest, objects: [{ ...manifest.objects[0], original: "33" }] })).toEqual(["manifest: objects"]);
  expect(await differing(CODE, { ...manifest, objects: [] })).toEqual(["manifest: objects", PATCHED_SUMS]);
  const [patch, below] = inputs;
  expect(await differing(CODE, { ...manifest, inputs: [patch, { ...below, sha256: "66" }] })).toEqual([UPON_SUM]);
  expect(await differing(CODE, { ...manifest, inputs: [{ ...patch, sha256: "66" }, below] })).toEqual(["manifest: inputs"]);
});
