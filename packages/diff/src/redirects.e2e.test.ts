/** Functions without an ftrace entry that a probe of the kernel is to redirect: which, and which must not be. */
import { afterAll, describe, expect, test } from "vitest";
import { names, relocationsOf, sectionOf, Workshop } from "../test/workshop.ts";
import type { DiffOptions } from "./diff.ts";

const shop = new Workshop();
afterAll(() => shop.close());

const by = (...accepted: string[]): Partial<DiffOptions> => ({ acceptRedirect: (name) => accepted.includes(name) });
const chain = (value: number, top: string): string =>
  `extern int other(int); notrace noinline static int leaf(int x) { barrier(); return other(x) * ${value}; }
   notrace noinline static int middle(int x) { barrier(); return leaf(x) + other(x); } ${top}`;
const TOP = "notrace int top(int x) { return middle(x) + 1; }";

describe("a changed function without an ftrace entry", () => {
  test("has its calls redirected where others may call it, and what it calls goes along", () => {
    const delta = shop.diff(chain(3, TOP), chain(5, TOP), by("top"));
    expect(delta).toMatchObject({ outcome: "patch", functions: [], redirects: [{ function: "top", global: true }] });
    expect(names(delta.carriedAlong)).toEqual(["leaf", "middle"]);
    // Where the kernel's is, and the new one.
    expect(relocationsOf(delta, ".data.suture_redirect")).toEqual(["0 top+0", "8 top+0", "24 .rodata.suture_redirect+0"]);
    expect(Buffer.from(sectionOf(delta, ".rodata.suture_redirect")?.data ?? []).toString()).toBe("top\0");
    expect(delta.externals.map(({ symbol }) => symbol.name).sort()).toEqual(["other", "top"]);
  });

  test("goes by its callers where they have entries, whatever was said", () => {
    const top = "int top(int x) { return middle(x) + 1; }";
    const delta = shop.diff(chain(3, top), chain(5, top), by("leaf", "middle", "top"));
    expect([names(delta.functions), delta.redirects, delta.redirectTable]).toEqual([["top"], [], undefined]);
  });

  test("is refused without somebody's word, and by his word for another", () => {
    for (const options of [{}, by(), by("leaf", "middle")])
      expect(shop.refusal(chain(3, TOP), chain(5, TOP), options)).toMatchObject({ code: "DIFF_NOT_PATCHABLE", where: { symbol: "top" } });
  });

  test("that a table leads to keeps its pointer", () => {
    const source = (value: number): string =>
      `notrace static int held(int x) { return x * ${value}; } int (*table[])(int) = { held }; int (*get(void))(int) { return held; }
       int use(int x) { return ${value} + (get() == held) + x; }`;
    const delta = shop.diff(source(3), source(5), by("held"));
    expect([names(delta.functions), delta.redirects.map((one) => [one.function, one.global])]).toEqual([["use"], [["held", false]]]);
    expect(delta.externals.map(({ symbol }) => symbol.name)).toContain("held");
  });

  test("the same fix always knows of it by the same state", () => {
    const [one, same] = [5, 7].map((value) => shop.diff(chain(3, TOP), chain(value, TOP), by("top")).redirects[0]?.state ?? 0);
    expect([one, Number.isSafeInteger(one), one === 0]).toEqual([same, true, false]);
  });
});

const f = (body: string, attributes = "notrace"): string => `extern int other(int); ${attributes} int f(int x) { ${body} }`;

describe("is refused", () => {
  test.each([
    ["in a section without probes", 'notrace __attribute__((section(".noinstr.text")))', "", /is in \.noinstr\.text/],
    ["by name", "notrace", 'int f(int); void *__attribute__((section("_kprobe_blacklist"))) no = f;', /NOKPROBE_SYMBOL/],
  ])("%s", (_, attributes, more, why) => {
    const [before, after] = [3, 5].map((value) => `${more} ${f(`return x * ${value};`, attributes)}`);
    expect(shop.refusal(before ?? "", after ?? "", by("f"))).toMatchObject({ code: "DIFF_REDIRECT", message: expect.stringMatching(why) });
  });

  test("with a jump to its own beginning", () => {
    const loop = (value: number): string =>
      `notrace __attribute__((naked)) int f(int x) { asm("1: dec %edi\\njnz 1b\\nmov $${value}, %eax\\nret"); }`;
    expect(shop.refusal(loop(3), loop(5), by("f"))).toMatchObject({
      code: "DIFF_REDIRECT",
      message: expect.stringContaining("its own first instruction"),
    });
  });

  test.each([
    ["itself", (value: number) => f(`return x > 9 ? ${value} : other(f(x + 1)) ^ other(f(x + 2));`), /it calls itself/],
    [
      "by one that differs",
      (value: number) =>
        `${f(`barrier(); return other(x) * ${value};`, "notrace noinline")} notrace int g(int x) { return f(x) + ${value}; }`,
      /g calls it, which differs as well/,
    ],
    [
      "by one that is gone",
      (value: number) =>
        `${f(`barrier(); return other(x) * ${value};`, "notrace noinline")} ${value === 3 ? "notrace int gone(int x) { return f(x) + 1; }" : ""}`,
      /gone calls it, which is gone/,
    ],
  ])("where old code comes to the new one: called %s", (_, source, why) => {
    expect(shop.refusal(source(3), source(5), by("f", "g"))).toMatchObject({ code: "DIFF_REDIRECT", message: expect.stringMatching(why) });
  });

  test("where new code comes to the old one", () => {
    const source = (value: number): string =>
      `${f(`barrier(); return other(x) * ${value};`, "notrace noinline")} notrace noinline int kept(int x) { barrier(); return f(x) + 1; }
       int g(int x) { return kept(x) + ${value}; }`;
    expect(shop.refusal(source(3), source(5), by("f"))).toMatchObject({
      code: "DIFF_REDIRECT",
      message: expect.stringMatching(/new code calls kept, which stays the kernel's and calls it/),
    });
  });

  test("but not where a seldom run part of it goes back into it", () => {
    const source = (value: number): string =>
      f(
        `int y = 0; if (x > 9) { rare(x); y = other(x); } return other(x + y) * ${value};`,
        "extern void rare(int) __attribute__((cold)); notrace",
      );
    expect(shop.compile(source(3)).symbols.some(({ name }) => name === "f.cold")).toBe(true);
    expect(shop.diff(source(3), source(5), by("f")).redirects).toMatchObject([{ function: "f" }]);
  });

  test("but not where the caller is the same, or has an entry", () => {
    const source = (value: number): string =>
      `${f(`barrier(); return other(x) * ${value};`, "notrace noinline")} notrace int same(int x) { return f(x) + 1; }
       int g(int x) { return f(x) + ${value}; }`;
    const delta = shop.diff(source(3), source(5), by("f"));
    expect([names(delta.functions), delta.redirects.map((one) => one.function)]).toEqual([["g"], ["f"]]);
  });
});
