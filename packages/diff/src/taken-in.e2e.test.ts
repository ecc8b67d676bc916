/** Points of the design's checklist for object differs, each pinned by objects that gcc makes here: what is taken in: callers of what cannot be redirected, and what changed functions need. */
import { afterAll, describe, expect, test } from "vitest";
import { externalNames, names, sectionOf, Workshop } from "../test/workshop.ts";

const shop = new Workshop();
afterAll(() => shop.close());

describe("point 8: functions that ftrace cannot redirect", () => {
  const chain = (value: number, top = "int top(int x) { return middle(x) + 1; }"): string => `
    static noinline notrace int leaf(int x) { barrier(); return x * ${value}; }
    static noinline notrace int middle(int x) { barrier(); return leaf(x) - 3; }
    ${top}
    int other(int x) { return x; }`;
  test("take in their callers, as far up as needed, and say so", () => {
    const delta = shop.diff(chain(3), chain(5));
    expect(delta.functions).toMatchObject([{ name: "top", through: ["leaf", "middle"], why: expect.stringContaining("calls middle") }]);
    expect(names(delta.carriedAlong)).toEqual(["leaf", "middle"]);
    expect(externalNames(delta)).toEqual(["__fentry__"]);
  });
  test("stop at a function that other objects call", () => {
    expect(
      shop.refusal(
        chain(3, "notrace int top(int x) { return middle(x) + 1; }"),
        chain(5, "notrace int top(int x) { return middle(x) + 1; }"),
      ),
    ).toMatchObject({
      code: "DIFF_NOT_PATCHABLE",
      message: expect.stringContaining("leaf ← middle ← top"),
      where: { symbol: "top" },
    });
  });
  test("stop where a pointer is kept", () => {
    const kept = "int (*keep)(int) = middle; int top(int x) { return keep(x); }";
    expect(shop.refusal(chain(3, kept), chain(5, kept))).toMatchObject({
      code: "DIFF_NOT_PATCHABLE",
      message: expect.stringContaining("keep"),
    });
  });
  test("need nothing if only code of the boot phase calls them", () => {
    const boot = "__init int top(int x) { return middle(x) + 1; }";
    const delta = shop.diff(chain(3, boot), chain(5, boot));
    expect(delta).toMatchObject({ outcome: "idle", functions: [] });
    expect(names(delta.skipped)).toContain("leaf");
  });
});

describe("point 9: what a changed function needs", () => {
  test("new functions, data, strings and constants are taken in; what exists is referred to", () => {
    const delta = shop.diff(
      "static int state = 5; int zeros[8]; int f(int x) { return x + state + zeros[1]; } int g(void) { return state++; }",
      `static int state = 5; int zeros[8]; static int fresh = 7; static int empty[3];
       static const int table[4] = { 3, 1, 4, 1 };
       static noinline int helper(int x) { printk("helped %d", x); fresh += empty[x & 1]++; return table[x & 3]; }
       int f(int x) { return helper(x) + state + zeros[1]; } int g(void) { return state++; }`,
    );
    expect(names(delta.functions)).toEqual(["f"]);
    expect(names(delta.added)).toEqual(["empty", "fresh", "helper", "table"]);
    expect(externalNames(delta)).toEqual(["__fentry__", "printk", "state", "zeros"]);
    expect(delta.externals.find((e) => e.symbol.name === "state")?.original?.place).not.toBe("undef");
    expect(Buffer.from(sectionOf(delta, ".rodata.str1.1")?.data ?? []).toString()).toContain("helped");
  });
  test("new global functions are taken in for the other objects of the patch", () => {
    const delta = shop.diff("int f(void) { return 1; }", "int f(void) { return 1; } int fresh(void) { return 2; }");
    expect(delta).toMatchObject({ outcome: "patch", functions: [], added: [{ name: "fresh" }] });
    expect(delta.object?.symbols.find((s) => s.name === "fresh")?.bind).toBe(1);
  });
  test("a changed initial value of writable data is refused, with the way out", () => {
    const error = shop.refusal("int v = 1; int f(void) { return v; }", "int v = 2; int f(void) { return v; }");
    expect(error).toMatchObject({
      code: "DIFF_DATA_CHANGED",
      where: { symbol: "v" },
      mend: expect.stringMatching(/callback.*shadow variable/),
    });
  });
  const table = (value: number, use: string): string => `
    static const int table[6] = { 1, 2, 3, ${value}, 5, 6 };
    int f(int x) { return table[x]; } int g(int x) { return table[x + 1]; } int h(int x) { return x; } ${use}`;
  test("changed read-only data is carried anew with all functions that use it", () => {
    const delta = shop.diff(table(4, ""), table(9, ""));
    expect(names(delta.functions)).toEqual(["f", "g"]);
    expect(delta.notes).toMatchObject([expect.stringContaining("table differs")]);
    expect(sectionOf(delta, ".rodata.table")?.data[12]).toBe(9);
  });
  test.each([
    ["another object may use it", (s: string) => s.replace("static const int table", "const int table")],
    ["data points to it", (s: string) => `${s} const int *keep = table;`],
    ["pointers to it are compared", (s: string) => `${s} int is(const int *p) { return p == table; }`],
  ])("but not if %s", (_, make) => {
    expect(shop.refusal(make(table(4, "")), make(table(9, "")))).toMatchObject({ code: "DIFF_RODATA_CHANGED" });
  });
  test("per-CPU variables: those that exist are referred to, new ones are the livepatch's own", () => {
    const source = (use: string, more = ""): string =>
      `int counter __percpu_data; ${more} int f(void) { int x; asm("mov %%gs:%1, %0" : "=r"(x) : "m"(${use})); return x; }`;
    expect(names(shop.diff(source("counter"), source("fresh", "int fresh __percpu_data;")).added)).toEqual(["fresh"]);
    const delta = shop.diff(source("counter"), source("counter").replace("return x", "return x + 1"));
    expect(externalNames(delta)).toContain("counter");
  });
});
