/** Points of the design's checklist for object differs, each pinned by objects that gcc makes here: objects are read: inputs, symbols and sections, references. */
import { afterAll, describe, expect, test } from "vitest";
import { externalNames, names, relocationsOf, sectionOf, Workshop } from "../test/workshop.ts";

const shop = new Workshop();
afterAll(() => shop.close());

describe("point 1: inputs", () => {
  const plain = shop.compile("int f(void) { return 1; }");
  test("the same object has no difference", () => {
    const delta = shop.compare(plain, shop.compile("int f(void) { return 1; }"));
    expect(delta).toMatchObject({ outcome: "same", functions: [], added: [], skipped: [], externals: [], object: undefined });
  });
  test("a header that differs is refused", () => {
    expect(() => shop.compare(plain, { ...plain, machine: 3 })).toThrow(/machine is 62/);
    expect(() => shop.compare(plain, { ...plain, flags: 1 })).toThrow(/flags is 0/);
  });
  test("program headers are refused", () => {
    const segment = { type: 1, flags: 0, offset: 0, vaddr: 0, paddr: 0, filesz: 0, memsz: 0, align: 1 };
    expect(() => shop.compare(plain, { ...plain, segments: [segment] })).toThrow(/program headers/);
  });
  test("more than 65,279 sections", () => {
    const many = (value: number): string => `
      .altmacro
      .macro one n
      .section .text.f\\n,"ax"
      .type f\\n,@function
      f\\n: mov $\\n, %eax
      ret
      .size f\\n, .-f\\n
      .endm
      .set i, 0
      .rept 66000
      one %i
      .set i, i+1
      .endr
      .section .text.last,"ax"
      .globl last
      .type last,@function
      last: 1: call __fentry__
      mov $${value}, %eax
      jmp f65999
      .size last, .-last
      .section __mcount_loc,"a"
      .quad 1b`;
    const delta = shop.compare(shop.assemble(many(1)), shop.assemble(many(2)));
    expect(names(delta.functions)).toEqual(["last"]);
    expect(externalNames(delta)).toEqual(["__fentry__", "f65999"]);
  });
});

describe("point 2: symbols and sections belong together", () => {
  const withCold = (text: string): string => `
    extern int cond; __attribute__((cold)) extern void rare(const char *);
    noinline int f(int x) { if (__builtin_expect(x == 77, 0)) { rare("${text}"); return -1; } return x + cond; }
    int g(int x) { return f(x) + 1; }`;
  test("a .cold part goes with its function, and jumps back into it", () => {
    const delta = shop.diff(withCold("one"), withCold("two"));
    expect(names(delta.functions)).toEqual(["f"]);
    expect(sectionOf(delta, ".text.unlikely.f")).toBeDefined();
    expect(relocationsOf(delta, ".text.f").some((r) => r.includes("f.cold"))).toBe(true);
    expect(names(delta.added)).toEqual([]);
  });
  test("padding before a function (__pfx_, __cfi_) stays before it", () => {
    const padded = (value: number): string => `
      .section .text.f,"ax"
      .balign 16
      .globl f, __pfx_f
      .type __pfx_f,@function
      .type f,@function
      __pfx_f: .skip 16, 0x90
      .size __pfx_f, 16
      f: 1: call __fentry__
      mov $${value}, %eax
      ret
      .size f, .-f
      .section __mcount_loc,"a"
      .quad 1b`;
    const delta = shop.compare(shop.assemble(padded(1)), shop.assemble(padded(2)));
    expect(delta.functions).toMatchObject([{ name: "f", symbol: { value: 16, size: 11 } }]);
    expect(sectionOf(delta, ".text.f")).toMatchObject({ align: 16, size: 27 });
    expect(relocationsOf(delta, "__mcount_loc")).toEqual(["0 f+0"]);
  });
  test("clones whose numbers moved are the same functions", () => {
    const clones = (numbers: [number, number], second: number): string =>
      numbers
        .map(
          (n, i) => `
      .section .text.f.constprop.${n},"ax"
      .type f.constprop.${n},@function
      f.constprop.${n}: mov $${i === 0 ? 11 : second}, %eax
      ret
      .size f.constprop.${n}, .-f.constprop.${n}`,
        )
        .join("\n") +
      `
      .section .text.g,"ax"
      .globl g
      .type g,@function
      g: 1: call __fentry__
      call f.constprop.${numbers[0]}
      jmp f.constprop.${numbers[1]}
      .size g, .-g
      .section __mcount_loc,"a"
      .quad 1b`;
    expect(shop.compare(shop.assemble(clones([0, 1], 22)), shop.assemble(clones([1, 0], 22))).outcome).toBe("same");
    // The kernel's own number names what is unchanged.
    const delta = shop.compare(shop.assemble(clones([0, 1], 22)), shop.assemble(clones([1, 0], 33)));
    expect(delta).toMatchObject({ functions: [{ name: "g", through: ["f.constprop.0"] }], carriedAlong: [{ name: "f.constprop.1" }] });
    expect(externalNames(delta)).toEqual(["__fentry__", "f.constprop.0"]);
  });
  test("aliases, and functions that became the same code", () => {
    const pair = (second: number): string => `int f(int x) { return x * 7; } int g(int x) { return x * ${second}; }`;
    const folded = 'int f(int x) { return x * 7; } int g(int) __attribute__((alias("f")));';
    expect(names(shop.diff(pair(5), folded).functions)).toEqual(["f", "g"]);
    expect(shop.refusal(folded, pair(5))).toMatchObject({ code: "DIFF_NOT_PATCHABLE" });
  });
});

describe("point 3: references to sections are references to objects", () => {
  const shared = (first: string): string => `
    ${first}
    static int one __read_mostly = 1; static int two __read_mostly = 2; static int list[4] __read_mostly = { 1, 2, 3, 4 };
    int f(void) { return one; }
    int g(void) { return two; }
    int h(int *out) { int sum = 0; for (int *at = list; at != list + 4; at++) sum += *at; return sum; }`;
  test("what moved in its section is still the same object", () => {
    const delta = shop.diff(shared(""), shared("int moved __read_mostly = 9;").replace("return two", "return two + 1"));
    expect(names(delta.functions)).toEqual(["g"]);
    expect(externalNames(delta)).toEqual(["__fentry__", "two"]);
  });
  test("an instruction with an immediate ends behind its field", () => {
    const source = (by: number): string => `
      static int a __read_mostly; static int b __read_mostly;
      int f(void) { barrier(); b = 0x12345678; barrier(); return a + ${by}; }
      int *g(int which) { return which ? &a : &b; }`;
    const delta = shop.diff(source(1), source(2));
    expect(names(delta.functions)).toEqual(["f"]);
    expect(externalNames(delta)).toEqual(["__fentry__", "a", "b"]);
    expect(
      relocationsOf(delta, ".text.f")
        .filter((r) => / [ab][+-]/.test(r))
        .every((r) => / (a-4|b-8)$/.test(r)),
    ).toBe(true);
  });
  test("a bound one past the end is the object's, if nothing moved beside it", () => {
    const delta = shop.diff(shared(""), shared("").replace("int sum = 0", "int sum = 1"));
    expect(names(delta.functions)).toEqual(["h"]);
    const inserted = shared("").replace("static int list", "int moved __read_mostly = 9; static int list");
    expect(shop.refusal(shared(""), inserted.replace("int sum = 0", "int sum = 1"))).toMatchObject({ code: "DIFF_REFERENCE" });
  });
});
