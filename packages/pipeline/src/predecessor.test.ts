import type { KernelContext } from "@suture/kbuild";
import { describe, expect, it } from "vitest";
import type { Predecessor } from "./options.ts";
import { parseSourcePatch } from "./patch/read.ts";
import { catchUpBefore, levelKept, lostOf, madeOf, withPredecessor } from "./predecessor.ts";

const kernel = { image: { release: "1.0", buildId: "ab" } } as unknown as KernelContext;
const patchOf = async (name: string) =>
  parseSourcePatch(Buffer.from(`--- a/${name}.c\n+++ b/${name}.c\n@@ -1 +1 @@\n-a\n+b\n`), `${name}.patch`);
const sourceOf = (name: string, text: string) => ({ name, bytes: Buffer.from(text), folder: undefined, beside: [] });
const old: Predecessor = {
  file: "livepatch-old.ko",
  sha256: "00",
  kernel: { release: "1.0", buildId: "ab" },
  patches: [await patchOf("one")],
  sources: [sourceOf("fix.c", "1"), sourceOf("other.c", "2")],
  rebuild: ["fs/pipe.o"],
  acceptLayouts: ["page"],
  acceptInits: ["setup"],
  acceptData: ["limit"],
  shadows: ["eventfd_ctx.writes"],
  holes: ["eventfd_ctx.more"],
  redirects: ["lib/bitmap.o:bitmap_print"],
  states: [{ id: 1, version: 2 }],
};
const given = { patches: [await patchOf("two")], replace: false, unproven: false };

describe("a livepatch upon another", () => {
  it("is made of all that the old one was made of, and replaces it", () => {
    const options = withPredecessor(
      { ...given, sources: [sourceOf("fix.c", "3")], states: [{ id: 5, version: 0 }], predecessor: old },
      kernel,
    );
    expect(options).toMatchObject({
      replace: true,
      rebuild: ["fs/pipe.o"],
      acceptLayouts: ["page"],
      acceptInits: ["setup"],
      acceptData: ["limit"],
      shadows: ["eventfd_ctx.writes"],
      holes: ["eventfd_ctx.more"],
      redirects: ["lib/bitmap.o:bitmap_print"],
    });
    expect(options.states).toEqual([...old.states, { id: 5, version: 0 }]);
    const { patches, sources } = madeOf(options);
    expect(patches.map(({ name }) => name)).toEqual(["one.patch", "two.patch"]);
    // A file of the same name is the next version of it.
    expect(sources.map(({ name, text }) => `${name} ${text}`)).toEqual(["other.c 2", "fix.c 3"]);
  });

  it.each([
    ["for another kernel", { ...given, predecessor: { ...old, kernel: { release: "1.0", buildId: "cd" } } }],
    ["that has the patch already", { ...given, patches: old.patches, predecessor: old }],
    ["that has the source already", { ...given, sources: [sourceOf("renamed.c", "1")], predecessor: old }],
  ])("is refused upon one %s", (_, options) => {
    expect(() => withPredecessor(options, kernel)).toThrow(expect.objectContaining({ code: "BUILD_UPON" }));
  });
});

describe("a catch-up upon another", () => {
  const carried = { functions: ["vmlinux:f", "nbd:g"], commits: ["f: fix"], cves: ["CVE-2026-1"], words: ["fs/a.o:limit"] };
  const before: Predecessor = { ...old, sources: [], rebuild: [], carried };

  it("takes over its states, and neither its patch nor what was accepted for that", () => {
    expect(catchUpBefore(before, kernel)).toMatchObject({ patches: [], acceptLayouts: [], acceptInits: [], states: old.states });
  });

  it.each([
    ["no catch-up", { ...before, carried: undefined }],
    ["more than a catch-up", { ...before, sources: old.sources }],
    ["for another kernel", { ...before, kernel: { release: "1.0", buildId: "cd" } }],
  ])("is refused where that is %s", (_, predecessor) => {
    expect(() => catchUpBefore(predecessor, kernel)).toThrow(expect.objectContaining({ code: "BUILD_UPON" }));
  });

  it("tells what it does not have any more", () => {
    const unit = { id: "1", title: "f: fix", state: "left out" as const, files: [], functions: [] };
    const catchUp = { from: "git" as const, base: {}, target: {}, report: "", units: [unit] };
    const functions = [{ object: "a.o", owner: "vmlinux", name: "f", sympos: 0, sizeBefore: 1, size: 1, why: "" }];
    expect(lostOf(before, { catchUp, functions })).toEqual({
      functions: ["nbd:g"],
      commits: ["f: fix"],
      cves: [],
      words: ["fs/a.o:limit"],
    });
    const account = { account: "", carried: [], notBuilt: [], noNeed: [], inKernel: [], unknown: ["CVE-2026-1"], leftOut: [] };
    expect(lostOf(before, { catchUp, functions, account }).cves).toEqual(["CVE-2026-1"]);
  });

  it("is so of what is built upon it as well, unless that replaces less", () => {
    const catchUp = { from: "packages" as const, base: {}, target: { version: "2" }, report: "", units: [] };
    const of = (...names: string[]) =>
      names.map((name) => ({ object: "a.o", owner: "vmlinux", name, sympos: 0, sizeBefore: 1, size: 1, why: "" }));
    const predecessor = { ...before, carried: { ...carried, functions: ["vmlinux:f"] }, level: { catchUp } };
    expect(levelKept(predecessor, { functions: of("f", "own") })).toEqual({ catchUp });
    expect(levelKept(predecessor, { functions: of("own") })).toBeUndefined();
    expect(levelKept(old, { functions: of("own") })).toEqual({});
    expect(levelKept(undefined, { functions: [] })).toEqual({});
  });
});
