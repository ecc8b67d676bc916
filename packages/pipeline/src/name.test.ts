import { codeOf } from "@suture/testkit/folders";
import { describe, expect, it } from "vitest";
import { patchName } from "./name.ts";
import type { SourcePatch } from "./patch/read.ts";

const patches = (name: string): SourcePatch[] => [
  { name, bytes: new Uint8Array(0), subject: undefined, cves: [], mentioned: [], changes: [], notes: [] },
];

describe("a livepatch's name", () => {
  it.each([
    ["0001-fs-pipe-fix.patch", "fs-pipe-fix"],
    ["CVE-2024-1.diff", "CVE-2024-1"],
    [`${"x".repeat(60)}.patch`, "x".repeat(40)],
    ["a b+c.patch", "a-b-c"],
  ])("comes from the file name %s", (file, name) => {
    expect(patchName(undefined, patches(file), [])).toBe(name);
  });

  it.each(["", "a/b", "-x", "a b", "x".repeat(41)])("is refused if it is no module's: %s", async (name) => {
    expect(await codeOf(() => patchName(name, [], []))).toBe("BUILD_NAME");
  });

  it.each([
    ["fs/pipe.o", "rebuild-fs-pipe"],
    ["fs/pipe.c:pipe_read", "rebuild-fs-pipe-pipe-read"],
    ["pipe_read", "rebuild-pipe-read"],
  ])("comes from what is rebuilt: %s", (what, name) => {
    expect(patchName(undefined, [], [what])).toBe(name);
  });
});
