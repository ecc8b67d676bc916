import { newObject, Section, SHT } from "@suture/elf";
import type { Manifest } from "@suture/protocol";
import { X86_64 } from "@suture/testkit/processor";
import { describe, expect, it, test } from "vitest";
import { MANIFEST_SECTION } from "./contents.ts";
import { readManifest } from "./read-manifest.ts";

/** With everything that a manifest can hold. */
const WHOLE: Manifest = {
  suture: 1,
  name: "test",
  contents: "00",
  kernel: { release: "6.1.0-test", buildId: "00" },
  proof: { proven: false, functions: 1, reason: "not tried" },
  replace: false,
  objects: [{ path: "fs/a.o", owner: "vmlinux", original: "00", patched: "01" }],
  functions: [{ object: "fs/a.o", owner: "vmlinux", name: "f", sympos: 0, sizeBefore: 1, size: 2, why: "changed" }],
  modules: [{ name: "nf_nat", buildId: "00", srcversion: "AA" }],
  callbacks: [{ object: "fs/a.o", owner: "vmlinux", kind: "pre_patch", name: "before" }],
  states: [{ id: 1, version: 2 }],
  shadows: [{ id: 1, name: "shadow", size: 8 }],
  added: [{ object: "fs/a.o", name: "g", kind: "function", size: 8 }],
  skipped: [{ object: "fs/a.o", name: "__warned", why: "no effect" }],
  notTaken: [{ object: "fs/a.o", name: "h", code: "DIFF", why: "no entry" }],
  notes: [{ object: "fs/a.o", text: "a note" }],
  handed: [{ object: "fs/a.o", function: "f", kind: "string", name: "text" }],
  symbols: [
    { name: "kfree", how: "exported", object: undefined, sympos: undefined, symbol: "kfree" },
    { name: "hidden", how: "klp", object: "vmlinux", sympos: 0, symbol: ".klp.sym.vmlinux.hidden,0" },
  ],
  compiler: "gcc",
  inputs: [{ kind: "package", name: "linux", version: "1", sha256: "00" }],
  fixes: [{ subject: "a fix", cves: ["CVE-2026-1"] }],
  made: {
    patches: [{ name: "a.patch", text: "" }],
    sources: [{ name: "a.c", text: "", beside: [] }],
    rebuild: ["f"],
    acceptLayouts: ["s"],
  },
};

function read(manifest: unknown): Manifest | undefined {
  const data = Buffer.from(typeof manifest === "string" ? manifest : JSON.stringify(manifest));
  return readManifest({ ...newObject("test.ko", X86_64), sections: [new Section({ name: MANIFEST_SECTION, type: SHT.PROGBITS, data })] });
}

/** Every value below `value` with what puts another one in its place. */
function* places(value: unknown, path = ""): Generator<{ path: string; found: unknown; put(root: unknown, other: unknown): void }> {
  if (typeof value !== "object" || value === null) return;
  for (const [key, found] of Object.entries(value)) {
    const here = `${path}/${key}`;
    if (found !== undefined)
      yield {
        path: here,
        found,
        put(root, other) {
          const steps = here.slice(1).split("/");
          const last = steps.pop() ?? "";
          const holder = steps.reduce((at, step) => (at as Record<string, unknown>)[step], root) as Record<string, unknown>;
          holder[last] = other;
        },
      };
    yield* places(found, here);
  }
}

test("a whole one is read as it was written, and with members of a later version", () => {
  expect(read(WHOLE)).toEqual(JSON.parse(JSON.stringify(WHOLE)));
  expect(read({ ...WHOLE, later: { more: 1 } })).toMatchObject({ later: { more: 1 } });
});

describe("damage is a refusal with the place", () => {
  const all = [...places(WHOLE)];
  it("is looked for at every place", () => expect(all.length).toBeGreaterThan(100));
  it.each(all.map((place) => [place.path, place] as const))("%s", (_path, { found, put }) => {
    const kind = (value: unknown): string => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value);
    for (const wrong of [5, "zz", null, true, [null], [{}], [[]], { 0: {} }, -1.5]) {
      if (kind(wrong) === kind(found) && !Array.isArray(wrong)) continue;
      const manifest = JSON.parse(JSON.stringify(WHOLE)) as unknown;
      put(manifest, wrong);
      expect(() => read(manifest), JSON.stringify(wrong)).toThrow(expect.objectContaining({ code: "KLP_BAD_MODULE" }));
    }
  });
  it.each(["", "{", "null", "[]", "5", '"x"', "{}"])("%j", (text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: "KLP_BAD_MODULE" }));
  });
  it.each(["../../etc", "a/b", ""])("the name %j of a module or of a file, which become parts of paths", (name) => {
    expect(() => read({ ...WHOLE, modules: [{ name }] })).toThrow("modules.0.name");
    expect(() => read({ ...WHOLE, made: { ...WHOLE.made, patches: [{ name, text: "" }] } })).toThrow("made.patches.0.name");
  });
});
