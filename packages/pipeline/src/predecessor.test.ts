import type { KernelContext } from "@suture/kbuild";
import { describe, expect, it } from "vitest";
import type { Predecessor } from "./options.ts";
import { parseSourcePatch } from "./patch/read.ts";
import { madeOf, withPredecessor } from "./predecessor.ts";

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
  states: [{ id: 1, version: 2 }],
  caughtUp: false,
};
const given = { patches: [await patchOf("two")], replace: false, unproven: false };

describe("a livepatch upon another", () => {
  it("is made of all that the old one was made of, and replaces it", () => {
    const options = withPredecessor(
      { ...given, sources: [sourceOf("fix.c", "3")], states: [{ id: 5, version: 0 }], predecessor: old },
      kernel,
    );
    expect(options).toMatchObject({ replace: true, rebuild: ["fs/pipe.o"], acceptLayouts: ["page"], acceptInits: ["setup"] });
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
