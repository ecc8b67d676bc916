/** Functions that are replaced by themselves, in objects that gcc makes here. */
import { type Section, SHF } from "@suture/elf";
import { afterAll, describe, expect, test } from "vitest";
import { externalNames, names, Workshop } from "../test/workshop.ts";

const shop = new Workshop();
afterAll(() => shop.close());

describe("identity patches", () => {
  const source = `
    int state; static noinline int helper(int x) { static int calls; barrier(); return x + calls++; }
    noinline int f(int x) { if (x == 9) BUG(); return helper(x) + state; } int g(int x) { printk("%d", x); return f(x); }
    __init noinline int begin(void) { barrier(); return 1; } int (*boot)(void) = begin;
    int wrong(void) { return begin(); } notrace int quiet(void) { return state; }`;
  test("take in every function that can be redirected, and tell which could not", () => {
    const delta = shop.diff(source, source, { force: () => true });
    expect(names(delta.functions)).toEqual(["f", "g", "helper"]);
    expect(delta.notTaken).toMatchObject([
      { name: "begin", code: "DIFF_NOT_PATCHABLE", why: expect.stringContaining("at boot") },
      { name: "quiet", code: "DIFF_NOT_PATCHABLE", why: "has no ftrace entry" },
      { name: "wrong", code: "DIFF_INIT_REFERENCE" },
    ]);
    expect(delta.added).toEqual([]);
    expect(externalNames(delta)).toEqual(["__fentry__", expect.stringMatching(/^calls\./), "printk", "state"]);
  });
  test("take in what was asked for", () => {
    const delta = shop.diff(source, source, { force: (name) => name === "g" });
    expect(names(delta.functions)).toEqual(["g"]);
    expect(externalNames(delta)).toEqual(["__fentry__", "f", "printk"]);
  });
  test("hold the same bytes as before", () => {
    const delta = shop.diff(source, source, { force: () => true });
    const original = shop.compile(source);
    const code = (sections: readonly Section[]) =>
      new Map(sections.filter((s) => (s.flags & SHF.EXECINSTR) !== 0).map((s) => [s.name, s.data]));
    const before = code(original.sections);
    for (const [name, data] of code(delta.object?.sections ?? []))
      expect(Buffer.compare(data, before.get(name) ?? new Uint8Array(0))).toBe(0);
  });
});
