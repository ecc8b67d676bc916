/** Points of the design's checklist for object differs, each pinned by objects that gcc makes here: what the kernel has, what it cannot take, and how that is said. */
import { placeText } from "@suture/errors";
import { afterAll, describe, expect, test } from "vitest";
import { names, Workshop } from "../test/workshop.ts";
import type { Delta } from "./diff.ts";

const shop = new Workshop();
afterAll(() => shop.close());

describe("point 12: references to what is not carried", () => {
  const source = (value: number): string => `
    extern int register_it(int (*)(int)); extern int elsewhere;
    static int state; static noinline int unchanged(int x) { barrier(); return x + state++; }
    static noinline int called(int x) { barrier(); return x * ${value}; }
    int (*const *f(int x))(int) { register_it(called); state = called(x) + unchanged(x) + elsewhere; return 0; }`;
  test("are symbols that are undefined, with the original that they stand for", () => {
    const delta = shop.diff(source(1), source(3).replace("+ elsewhere", "- elsewhere"));
    expect(names(delta.functions)).toEqual(["called", "f"]);
    const of = (name: string) => delta.externals.find((e) => e.symbol.name === name);
    expect(of("unchanged")?.original).toMatchObject({ name: "unchanged", bind: 0 });
    expect(of("state")?.original).toMatchObject({ name: "state" });
    expect(of("elsewhere")?.original).toBeUndefined();
    for (const { symbol } of delta.externals) expect(symbol.place).toBe("undef");
  });
  test("pointers to a patched function go to the original, calls to the new one", () => {
    const delta = shop.diff(source(1), source(3).replace("+ elsewhere", "- elsewhere"));
    const called = delta.externals.find((e) => e.symbol.name === "called");
    expect(called?.original).toBeDefined();
    const inF = delta.object?.sections.find((s) => s.name === ".rela.text.f")?.relocations ?? [];
    const symbols = inF.filter((r) => r.symbol?.name === "called").map((r) => r.symbol);
    expect(symbols).toContain(called?.symbol);
    expect(symbols.some((s) => s !== called?.symbol && typeof s?.place !== "string")).toBe(true);
  });
  test("which object defines a weak function, the kernel's linker knew", () => {
    const weak = (value: number): string => `__weak int hook(int x) { barrier(); return x; } int f(int x) { return hook(x) + ${value}; }`;
    const delta = shop.diff(weak(1), weak(2));
    expect(delta.externals.find((e) => e.symbol.name === "hook")).toMatchObject({ original: undefined, symbol: { bind: 1 } });
  });
  test("only relocations that the module loader applies are left", () => {
    const near = (value: number): string => `
      .section .sched.text,"ax"
      .globl f
      .type f,@function
      .type g,@function
      f: 1: call __fentry__
      mov $${value}, %eax
      jmp g
      .size f, .-f
      g: ret
      .size g, .-g
      .section __mcount_loc,"a"
      .quad 1b`;
    expect(() => shop.compare(shop.assemble(near(1)), shop.assemble(near(2)))).toThrow(/type 15/);
  });
});

describe("point 13: structures whose layout changed", () => {
  // That types differ, packages/types sees in what the compiler says of them; here it shows in the data and the code that use them.
  const source = (member: string): string => `
    struct thing { int a; ${member} int b; }; struct thing live = { 1 };
    int f(struct thing *t) { return t->b; } int g(struct thing *t) { return t->a; }`;
  test("a variable whose structure grew is refused by name", () => {
    expect(shop.refusal(source(""), source("long inserted;"))).toMatchObject({ code: "DIFF_DATA_CHANGED", where: { symbol: "live" } });
  });
  test("functions that look at another place differ", () => {
    const without = (text: string): string => text.replace("struct thing live = { 1 };", "");
    expect(names(shop.diff(without(source("")), without(source("long inserted;"))).functions)).toEqual(["f"]);
  });
});

describe("point 14: code that a running kernel does not run", () => {
  const phases = (boot: number, exit: number, data = 1): string => `
    __initdata int at_boot = ${data};
    __init int begin(void) { return ${boot}; } __exit int finish(void) { return ${exit}; } int f(void) { return 1; }`;
  test("needs nothing, and is told by name", () => {
    expect(shop.diff(phases(1, 1), phases(2, 2, 5))).toMatchObject({
      outcome: "idle",
      skipped: [{ name: "begin" }, { name: "finish" }, { name: "at_boot" }],
      object: undefined,
    });
    const unload = shop.diff(phases(1, 1), phases(1, 2), { build: { module: true, memoryHotplug: true } });
    expect(unload).toMatchObject({ outcome: "idle", skipped: [{ name: "finish", why: expect.stringContaining("unloaded") }] });
  });
  test("cannot be referred to", () => {
    const use = (what: string): string =>
      `__initdata int gone = 1; __init noinline int begin(void) { barrier(); return 1; } int f(void) { return ${what}; }`;
    expect(shop.refusal(use("2"), use("gone"))).toMatchObject({ code: "DIFF_INIT_REFERENCE" });
    expect(shop.refusal(use("2"), use("begin()"))).toMatchObject({ code: "DIFF_INIT_REFERENCE" });
  });
  test("memory of hot-plugging is kept or not as the configuration says", () => {
    const plug = (value: number): string => `__attribute__((section(".meminit.text"))) int plugged(void) { return ${value}; }`;
    expect(names(shop.diff(plug(1), plug(2), { build: { module: false, memoryHotplug: true } }).functions)).toEqual(["plugged"]);
    expect(shop.diff(plug(1), plug(2), { build: { module: false, memoryHotplug: false } }).outcome).toBe("idle");
    expect(shop.refusal(plug(1), plug(2), { build: { module: false, memoryHotplug: undefined } })).toMatchObject({
      code: "DIFF_UNKNOWN_SECTION",
    });
  });
  test("parameters, exports and what is read once: changed is refused, new is told", () => {
    const declared = (entries: string): string => `struct param { const char *name; int perm; }; ${entries} int f(void) { return 1; }`;
    const param = (perm: number): string => `__attribute__((section("__param"))) struct param __param_p = { "p", ${perm} };`;
    expect(shop.refusal(declared(param(1)), declared(param(2)))).toMatchObject({
      code: "DIFF_SECTION_CHANGED",
      where: { section: "__param" },
    });
    expect(shop.diff(declared(""), declared(param(1)))).toMatchObject({ outcome: "idle", skipped: [{ name: "__param_p" }] });
    expect(shop.diff(declared(param(1)), declared(""))).toMatchObject({ outcome: "idle", skipped: [{ name: "__param_p" }] });
  });
  test("all exports of an object in one section, as newer kernels have them: changed is told", () => {
    const exported = (...all: string[]): string =>
      `int first, second; int f(void) { return first; } ${all
        .map(
          (name) =>
            `asm(".section \\".export_symbol\\",\\"a\\"; __export_symbol_${name}: .asciz \\"GPL\\"; .ascii \\"\\\\0\\"; .balign 8; .quad ${name}; .previous");`,
        )
        .join(" ")}`;
    const told = { outcome: "idle", skipped: [{ name: ".export_symbol", why: expect.stringContaining("keeps the exports") }] };
    expect(shop.diff(exported("first"), exported("first", "second"))).toMatchObject(told);
    expect(shop.diff(exported("first", "second"), exported("second"))).toMatchObject(told);
    expect(shop.diff(exported("first"), exported("first")).outcome).toBe("same");
  });
  test("a section of no known kind may not change", () => {
    const odd = (value: number): string => `__attribute__((section("odd_table"))) int entry = ${value};`;
    expect(shop.refusal(odd(1), odd(2))).toMatchObject({ code: "DIFF_SECTION_CHANGED" });
    expect(shop.refusal("", odd(2))).toMatchObject({ code: "DIFF_SECTION_CHANGED" });
    expect(shop.refusal(odd(1), "")).toMatchObject({ code: "DIFF_SECTION_CHANGED" });
    expect(shop.diff(odd(1), odd(1)).outcome).toBe("same");
  });
});

describe("point 15: every refusal", () => {
  test("names the file, the symbol, why, and what can be done", () => {
    const error = shop.refusal("int v = 1;", "int v = 2;");
    expect(placeText(error.where)).toBe("file.o: section .data.v, symbol v");
    expect(error.message).toContain("v differs");
    expect(error.mend.length).toBeGreaterThan(20);
    expect(error.others).toEqual([]);
  });

  const told = (before: string, after: string): string[] =>
    shop.refusal(before, after).all.map(({ code, where }) => `${code} ${where.symbol}`);

  test("is told with the others of the object: of what differs, in order, then of functions without an ftrace entry", () => {
    const source = (value: number): string => `
      int live = ${value}; notrace int quiet(int x) { return x + ${value}; } int well(int x) { return x * ${value}; }
      int other = ${value}; notrace int silent(int x) { return x - ${value}; } __attribute__((section("odd_table"))) int entry = ${value};`;
    const all = told(source(3), source(5));
    expect(all.slice().sort()).toEqual([
      "DIFF_DATA_CHANGED live",
      "DIFF_DATA_CHANGED other",
      "DIFF_NOT_PATCHABLE quiet",
      "DIFF_NOT_PATCHABLE silent",
      "DIFF_SECTION_CHANGED entry",
    ]);
    expect(all.slice(3).sort()).toEqual(["DIFF_NOT_PATCHABLE quiet", "DIFF_NOT_PATCHABLE silent"]);
  });

  test("of code that would be carried is told for each function", () => {
    const source = (use: string): string => `
      int __attribute__((section(".init.data"))) gone = 3; int __attribute__((section(".init.data"))) lost = 4;
      int f(int x) { return x + ${use === "" ? "1" : "gone"}; } int g(int x) { return x * ${use === "" ? "2" : "lost"}; }
      int begin(void) { return gone + lost; }`;
    expect(told(source(""), source("use")).sort()).toEqual(["DIFF_INIT_REFERENCE f", "DIFF_INIT_REFERENCE g"]);
  });
});

describe("a function that becomes visible to other objects", () => {
  const source = (words: string, more = ""): string => `
    ${words} noinline int f(int x) { barrier(); return x * 3 ${more}; } int g(int x) { return f(x) + 1; }`;
  const exposed = (delta: Delta): string[] => delta.exposed.map(({ name }) => name);
  test("is reached where the kernel has it", () => {
    const same = shop.diff(source("static"), source(""));
    expect([names(same.functions).includes("f"), exposed(same)]).toEqual([false, ["f"]]);
    const changed = shop.diff(source("static"), source("", "+ 2"));
    expect([names(changed.functions).includes("f"), exposed(changed)]).toEqual([true, ["f"]]);
    expect(exposed(shop.diff(source("static"), source("static", "+ 2")))).toEqual([]);
  });
  test("is not, if calls of the kernel's cannot be redirected", () => {
    const delta = () => shop.diff(source("static notrace"), source("notrace", "+ 2"));
    expect(delta).toThrow(/called from other objects/);
  });
});
