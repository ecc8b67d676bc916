/** Strings that the kernel has, and what of the livepatch its code gives away, in objects that gcc makes here. */
import { type Relocation, relocationSections } from "@suture/elf";
import { afterAll, describe, expect, test } from "vitest";
import { sectionOf, Workshop } from "../test/workshop.ts";
import type { Delta, DiffOptions } from "./diff.ts";

const shop = new Workshop();
afterAll(() => shop.close());

/** A kernel that has these strings, a hundred bytes apart. */
function kernelWith(...strings: string[]): Pick<DiffOptions, "reach"> {
  return {
    reach({ bytes }) {
      const index = strings.indexOf(Buffer.from(bytes).toString("latin1").replace(/\0$/, ""));
      return index < 0 ? undefined : { name: "_text", sympos: 1, offset: 100 * (index + 1) };
    },
  };
}

/** Relocations of a function to what has an anchor: type, bytes from the string, and the anchor's distance. */
function anchored({ object, externals }: Delta, section: string): [number, number, number][] {
  const found = new Map(externals.map(({ symbol, anchor }) => [symbol, anchor]));
  const relocations: Relocation[] =
    object === undefined
      ? []
      : [...relocationSections(object)]
          .filter(([{ name }]) => name === section)
          .flatMap(([, tables]) => tables.flatMap((table) => table.relocations));
  return relocations.flatMap(({ symbol, type, addend }) => {
    const anchor = symbol === undefined ? undefined : found.get(symbol);
    return anchor === undefined ? [] : [[type, addend, anchor.offset] as [number, number, number]];
  });
}

describe("strings", () => {
  const uses = (more: string): string => `
    extern void keep(const char *); extern const char *kept;
    void f(int x) { keep("old"); keep("old" + x); kept = "other"; ${more} }`;
  test("that the kernel has are reached there, others are carried", () => {
    const delta = shop.diff(uses(""), uses('keep("new");'), kernelWith("old", "other"));
    expect(anchored(delta, ".text.f").map(([, addend, offset]) => [addend, offset])).toEqual([
      [0, 100],
      [0, 100],
      [0, 200],
    ]);
    expect(anchored(delta, ".text.f").every(([type]) => type === 11 || type === 1)).toBe(true);
    expect(Buffer.from(sectionOf(delta, ".rodata.str1.1")?.data ?? []).toString()).toBe("new\0");
  });
  test("are the module's own where it is not known what the kernel has", () => {
    const delta = shop.diff(uses(""), uses('keep("new");'));
    expect(Buffer.from(sectionOf(delta, ".rodata.str1.1")?.data ?? []).toString()).toBe("old\0other\0new\0");
    expect(delta.handed).toEqual([]);
  });
  test("that tables name, which the kernel reads early, are the module's own", () => {
    const bug = (by: number): string => `int f(int x) { BUG(); return x + ${by}; }`;
    const delta = shop.diff(bug(1), bug(2), kernelWith("file.c"));
    expect(delta.externals.filter(({ anchor }) => anchor !== undefined)).toEqual([]);
  });
  test("names of functions are reached by the original's symbol", () => {
    const named = (by: number): string =>
      `extern void keep(const char *); void f(void) { keep(__func__); } int g(int x) { keep(__func__); return x + ${by}; }`;
    const symbols: (string | undefined)[] = [];
    shop.diff(named(1), named(2), {
      reach({ symbol, bytes }) {
        symbols.push(symbol?.name);
        expect(Buffer.from(bytes).toString()).toBe("g\0");
        return { name: "_text", sympos: 1, offset: 4 };
      },
    });
    expect(symbols).toEqual([expect.stringMatching(/^__func__\.\d+$/)]);
  });
});

describe("what is given away", () => {
  const handed = (before: string, after: string): Delta["handed"] => {
    const source = (body: string): string => `
      extern void keep(const void *), keep2(int, const void *); extern int _printk(const char *, ...); extern int seq_printf(void *, const char *, ...);
      extern const void *kept; ${body}`;
    return shop.diff(source(before), source(after), kernelWith("old")).handed;
  };
  test("strings of the module that are only printed are not", () => {
    expect(handed("int f(void *m) { return 1; }", 'int f(void *m) { _printk("a %s", "b"); return seq_printf(m, "c"); }')).toEqual([]);
  });
  test("strings that are stored, returned, or go to code that may store them, are", () => {
    const after = 'const char *f(int x) { keep("a"); keep("old"); kept = "b"; if (x) return "c"; _printk("d"); return 0; }';
    const given = handed("const char *f(int x) { return 0; }", after);
    expect(given.map(({ name }) => name).sort()).toEqual(["a", "b", "c"]);
    expect(given[0]).toMatchObject({ function: "f", kind: "string" });
  });
  test("a string that may also be used otherwise is, though it is printed", () => {
    const after = 'int f(int x) { const char *s = "a"; _printk(s); keep(s); return 2; }';
    expect(handed("int f(int x) { return 1; }", after)).toEqual([{ function: "f", kind: "string", name: "a" }]);
  });
  test("new functions and variables by their addresses, not where they are called or read", () => {
    const after = `static noinline void called(void) { barrier(); } static noinline void given(void) { kept = 0; }
      static int read; static int shown; static const char *const names[] = { "x", "y" };
      static int listed[9];
      int f(int x) { called(); keep(given); keep2(read += x, &shown); keep(names[x]); keep(&listed[x]); return 2; }`;
    expect(
      handed("int f(int x) { return 1; }", after)
        .map(({ kind, name }) => `${kind} ${name}`)
        .sort(),
    ).toEqual(["function given", "variable listed", "variable names", "variable shown"]);
  });
  test("a table that is copied, if pointers to what is the module's go with it", () => {
    const after = (held: string): string => `extern void *memcpy(void *, const void *, unsigned long);
      static noinline void given(void) { kept = 0; } extern void other(void);
      static void (*const table[40])(void) = { ${held} };
      int f(void *to) { memcpy(to, table, sizeof(table)); return 2; }`;
    const copied = (held: string): Delta["handed"] => handed("int f(void *to) { return 1; }", after(held));
    expect(copied("given")).toEqual([{ function: "f", kind: "variable", name: "table" }]);
    expect(copied("other")).toEqual([]);
  });
  test("what the kernel has, and functions that replace its own, are not", () => {
    const source = (by: number): string =>
      `static int old; int g(int x) { return x + ${by}; } int f(int x) { keep(&old); keep(g); keep("old"); return ${by}; }`;
    expect(handed(source(1), source(2))).toEqual([]);
  });
});
