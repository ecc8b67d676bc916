/** Points of the design's checklist for object differs, each pinned by objects that gcc makes here: what is the same and what differs. */
import { newSymbol } from "@suture/elf";
import { afterAll, describe, expect, test } from "vitest";
import { externalNames, names, relocationsOf, Workshop } from "../test/workshop.ts";

const shop = new Workshop();
afterAll(() => shop.close());

describe("point 4: not by name alone", () => {
  const source = (more: string): string => `
    ${more}
    extern int sink(const char *, const void *);
    int f(int x) { static const char __func__x[] = "f"; return sink(__func__, "text f") + sink(__FUNCTION__, __func__x); }
    int g(int x) { return sink(__func__, "text g"); }
    int h(int x) { switch (x) { case 0: return 17; case 1: return 5; case 2: return 99; case 3: return 1; case 4: return 42; } return 0; }`;
  test("numbered literals (__func__.N, CSWTCH.N, strings) are compared by what they hold", () => {
    const before = 'int k(int x) { extern int sink(const char *, const void *); return sink(__func__, "other"); }';
    const delta = shop.diff(source(""), source(before));
    expect(delta.functions).toEqual([]);
    expect(names(delta.added)).toEqual(["k"]);
  });
  test("a string that differs is a difference of its function alone", () => {
    expect(names(shop.diff(source(""), source("").replace("text g", "text G")).functions)).toEqual(["g"]);
    expect(names(shop.diff(source(""), source("").replace("return 99", "return 98")).functions)).toEqual(["h"]);
  });
});

describe("point 5: static locals", () => {
  const counters = (f: string, g: string): string => `
    int f(int x) { ${f} }
    int g(int x) { ${g} }`;
  const count = (by: string): string => `static int count; return count += ${by};`;
  test("are paired through the functions that use them, though their numbers move", () => {
    const original = shop.compile(counters(count("x"), count("x * 2")));
    const patched = shop.compile(counters(`static int other; other ^= x; ${count("x")}`, count("x * 3")));
    const delta = shop.compare(original, patched);
    expect(names(delta.functions)).toEqual(["f", "g"]);
    expect(delta.added).toMatchObject([{ kind: "variable", size: 4 }]);
    const numbers = (object: typeof original): string[] => object.symbols.filter((s) => s.name.startsWith("count.")).map((s) => s.name);
    // Both counters are the kernel's.
    expect(externalNames(delta)).toEqual(expect.arrayContaining(numbers(original)));
    const inF = relocationsOf(delta, ".text.f").map((r) => r.split(" ")[1]?.replace(/[+-].*/, ""));
    const before = original.symbols.filter((s) => s.name.startsWith("count."));
    expect(inF.filter((name) => before.some((s) => s.name === name))).toHaveLength(2);
  });
  test("one lost and one new of the same name are refused, never paired", () => {
    const error = shop.refusal(counters(count("x"), "return x;"), counters("return x;", count("x")));
    expect(error).toMatchObject({ code: "DIFF_STATIC_LOCAL", where: { symbol: expect.stringMatching(/^count\./) } });
  });
  test("another size is refused", () => {
    expect(shop.refusal(counters(count("x"), "return x;"), counters("static long count; return count += x;", "return x;"))).toMatchObject({
      code: "DIFF_DATA_CHANGED",
    });
  });
  test.each([".data.once", ".data..once", ".data..do_once"])("bookkeeping of the once-macros in %s needs no twin", (section) => {
    const once = `static char __already_done __attribute__((section("${section}"))); if (!__already_done) { __already_done = 1; printk("once"); }`;
    const delta = shop.diff(counters(`${once} return x;`, "return x;"), counters("return x;", `${once} return x;`));
    expect(names(delta.functions)).toEqual(["f", "g"]);
  });
});

describe("point 6: what a change is", () => {
  const body = "extern int a, b; extern void c(void), d(void);";
  test.each([
    ["size", "int f(void) { return 1; }", "int f(void) { c(); return 1; }"],
    ["bytes", "int f(void) { return 1; }", "int f(void) { return 2; }"],
    ["a relocation's target", "int f(void) { return a; }", "int f(void) { return b; }"],
    ["a relocation's addend", "extern int v[]; int f(void) { return v[1]; }", "extern int v[]; int f(void) { return v[2]; }"],
    ["a relocation's type", "void *f(void) { return c; }", 'void *f(void) { void *p; asm("movabs $c, %0" : "=r"(p)); return p; }'],
  ])("%s", (_, before, after) => {
    expect(names(shop.diff(body + before, body + after).functions)).toEqual(["f"]);
  });
  test("names of tracepoints that are used, and numbers of symbols, are none: the linker drops them", () => {
    const used = (name: string): string =>
      `int f(void) { return 1; } static const char used[] __attribute__((used, section("__tracepoint_check"))) = "${name}";
       asm(".pushsection .klp.symid,\\"\\"\\n.quad f, ${name.length}\\n.popsection");`;
    expect(shop.diff(used("one"), used("three")).outcome).toBe("same");
  });
  test("notes, debug information, .modinfo, .discard and .comment are none", () => {
    const extra = (text: string): string => `
      asm(".pushsection .modinfo,\\"a\\"\\n.asciz \\"${text}\\"\\n.popsection\\n.pushsection .discard.x,\\"a\\"\\n.asciz \\"${text}\\"\\n.popsection\\n"
          ".ident \\"${text}\\"\\n.pushsection .note.${text},\\"a\\",@note\\n.long 4,4,1\\n.asciz \\"abc\\"\\n.long 7\\n.popsection");
      int f(void) { return 1; }`;
    expect(shop.compare(shop.compile(extra("one"), ["-g"]), shop.compile(extra("other"), ["-g3"])).outcome).toBe("same");
  });
  test("a relocation that means nothing (objtool leaves R_X86_64_NONE behind) is none", () => {
    const source = "int f(void) { return 1; }";
    const patched = shop.compile(source);
    const table = patched.sections.find((s) => s.name === ".rela.text.f");
    table?.relocations.push({ offset: 1, type: 0, symbol: newSymbol({ name: "x", place: "undef" }), addend: 5 });
    expect(shop.compare(shop.compile(source), patched).outcome).toBe("same");
  });
});

describe("point 7: lines that move", () => {
  test("with #line directives after each hunk nothing else differs", () => {
    const original = "int f(void) { return 1; }\nint g(int x) {\n  if (x) BUG();\n  return __LINE__;\n}\n";
    const patched = "/* a word */\n\n#line 1\nint f(void) { return 2; }\n#line 2\nint g(int x) {\n  if (x) BUG();\n  return __LINE__;\n}\n";
    expect(names(shop.diff(original, patched).functions)).toEqual(["f"]);
    expect(shop.diff(original, patched.replace("return 2", "return 1")).outcome).toBe("same");
  });
  test("the line that a warning names is no difference by itself", () => {
    const bug = "int g(int x) { if (x) BUG(); return 1; }";
    expect(shop.diff(bug, `\n\n\n${bug}`).outcome).toBe("same");
  });
});
