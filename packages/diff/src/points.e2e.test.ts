/** The points of the design's checklist for object differs, each pinned by objects that gcc makes here. */
import { newSymbol, type Section, SHF } from "@suture/elf";
import { placeText } from "@suture/errors";
import { afterAll, describe, expect, test } from "vitest";
import { externalNames, names, relocationsOf, sectionOf, Workshop } from "../test/workshop.ts";
import type { Delta } from "./diff.ts";

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
  test("bookkeeping of the once-macros needs no twin", () => {
    const once =
      'static char __already_done __attribute__((section(".data.once"))); if (!__already_done) { __already_done = 1; printk("once"); }';
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
  test("per-CPU variables: those that exist are referred to, new ones refused", () => {
    const source = (use: string, more = ""): string =>
      `int counter __percpu_data; ${more} int f(void) { int x; asm("mov %%gs:%1, %0" : "=r"(x) : "m"(${use})); return x; }`;
    expect(shop.refusal(source("counter"), source("fresh", "int fresh __percpu_data;"))).toMatchObject({ code: "DIFF_PER_CPU" });
    const delta = shop.diff(source("counter"), source("counter").replace("return x", "return x + 1"));
    expect(externalNames(delta)).toContain("counter");
  });
});

describe("point 10: special sections", () => {
  const tabled = (value: number): string => `
    extern void helper(void); extern int other;
    int f(int x) {
      asm volatile("1: nop; nop; nop; nop; nop\\n2:\\n.pushsection .altinstructions,\\"a\\"\\n.long 1b - ., 3f - .\\n.word 5\\n.byte 2b - 1b, 4f - 3f\\n.popsection\\n"
                   ".pushsection .altinstr_replacement,\\"ax\\"\\n3: call helper\\n4:\\n.popsection");
      asm volatile("1: mov %0, %%eax\\n2:\\n.pushsection __ex_table,\\"a\\"\\n.balign 4\\n.long 1b - ., 2b - ., 3\\n.popsection" :: "m"(other) : "eax");
      asm volatile("1: lock incl %0\\n.pushsection .smp_locks,\\"a\\"\\n.long 1b - .\\n.popsection" : "+m"(other));
      if (x == 3) BUG();
      return ${value};
    }
    int g(int x) {
      asm volatile("1: nop; nop; nop\\n2:\\n.pushsection .altinstructions,\\"a\\"\\n.long 1b - ., 3f - .\\n.word 6\\n.byte 2b - 1b, 4f - 3f\\n.popsection\\n"
                   ".pushsection .altinstr_replacement,\\"ax\\"\\n3: .byte 0xf,0x1,0xca\\n4:\\n.popsection");
      if (x == 4) BUG();
      return 7;
    }`;
  const ofG = (source: string): string => source.replace("return 7", "return 8");
  test("entries of carried functions are kept, others left; replacements go with their entries", () => {
    const delta = shop.diff(tabled(1), tabled(2));
    expect(names(delta.functions)).toEqual(["f"]);
    const size = (name: string): number | undefined => sectionOf(delta, name)?.size;
    expect([
      size(".altinstructions"),
      size(".altinstr_replacement"),
      size("__ex_table"),
      size(".smp_locks"),
      size("__bug_table"),
      size("__mcount_loc"),
    ]).toEqual([12, 5, 12, 4, 12, 8]);
    expect(relocationsOf(delta, ".altinstructions")).toEqual([expect.stringMatching(/^0 f\+/), "4 .altinstr_replacement+0"]);
    expect(relocationsOf(delta, ".altinstr_replacement")).toEqual(["1 helper-4"]);
    const second = shop.diff(tabled(1), ofG(tabled(1)));
    expect(Buffer.from(sectionOf(second, ".altinstr_replacement")?.data ?? [])).toEqual(Buffer.from([0xf, 0x1, 0xca]));
    expect(sectionOf(second, "__ex_table")).toBeUndefined();
  });
  test("what an entry says is behaviour", () => {
    expect(names(shop.diff(tabled(1), tabled(1).replace("2b - ., 3", "2b - ., 4")).functions)).toEqual(["f"]);
    expect(names(shop.diff(tabled(1), tabled(1).replace(".word 5", ".word 9")).functions)).toEqual(["f"]);
    expect(names(shop.diff(tabled(1), tabled(1).replace("call helper", "call rescue")).functions)).toEqual(["f"]);
  });
  test("unwind entries come with the code, out of a section of several functions too", () => {
    const asm = (value: number): string => `
      .section .sched.text,"ax"
      .globl f, g
      .type f,@function
      .type g,@function
      f: 1: call __fentry__
      ret
      .size f, .-f
      g: 2: call __fentry__
      mov $${value}, %eax
      ret
      .size g, .-g
      .section __mcount_loc,"a"
      .quad 1b, 2b
      .section .orc_unwind_ip,"a"
      .long f - ., g + 5 - ., g + 11 - .
      .section .orc_unwind,"a"
      .byte 1,1,1,1,1,1, 2,2,2,2,2,2, 3,3,3,3,3,3`;
    const delta = shop.compare(shop.assemble(asm(1)), shop.assemble(asm(2)));
    expect(names(delta.functions)).toEqual(["g"]);
    // The state that holds before the first entry of g is that of the entry before it.
    expect(relocationsOf(delta, ".orc_unwind_ip")).toEqual(["0 g+0", "4 g+5", "8 g+11"]);
    expect([...(sectionOf(delta, ".orc_unwind")?.data ?? [])]).toEqual([1, 2, 3].flatMap((n) => Array(6).fill(n)));
    expect(delta.functions[0]?.symbol.name).toBe("g");
  });
  test("out-of-line pieces of alternatives (.altinstr_aux) are carried with the code that jumps there", () => {
    const aux = (value: number): string => `
      extern int bits;
      int f(void) {
        asm goto("jmp 6f\\n.pushsection .altinstr_aux,\\"ax\\"\\n6: testb $1, bits(%%rip)\\njnz %l[yes]\\njmp %l[no]\\n.popsection" :::: yes, no);
      yes: return ${value};
      no: return 2;
      }
      int g(void) {
        asm goto("jmp 6f\\n.pushsection .altinstr_aux,\\"ax\\"\\n6: testb $2, bits(%%rip)\\njnz %l[yes]\\njmp %l[no]\\n.popsection" :::: yes, no);
      yes: return 3;
      no: return 4;
      }`;
    const delta = shop.diff(aux(1), aux(5));
    expect(names(delta.functions)).toEqual(["f"]);
    const bits = delta.object?.sections.filter((s) => s.name === ".altinstr_aux") ?? [];
    expect(bits).toHaveLength(1);
    expect(names(shop.diff(aux(1), aux(1).replace("testb $2", "testb $4")).functions)).toEqual(["g"]);
  });
  test("sizes are those of the kernel's types", () => {
    const source = "int f(int x) { if (x) BUG(); return 1; }";
    const other = { size: (name: string) => (name === "bug_entry" ? 16 : 8), member: () => ({ offset: 0, size: 2 }) };
    expect(shop.refusal(source, source.replace("return 1", "return 2"), { layouts: other })).toMatchObject({ code: "DIFF_TABLE" });
    expect(shop.refusal(source, source, { layouts: { size: () => undefined, member: () => undefined } })).toMatchObject({
      code: "DIFF_TABLE",
    });
  });
});

describe("point 11: static keys and static calls", () => {
  const keyed = (value: number): string => `
    extern struct static_key key;
    int f(int x) { if (static_branch(&key)) printk("on"); return ${value}; }`;
  const calls = (value: number): string => `
    extern void __SCT__op(void);
    int f(int x) {
      asm volatile("1: call __SCT__op\\n.pushsection .static_call_sites,\\"aw\\"\\n.long 1b - ., __SCK__op - .\\n.popsection");
      return ${value};
    }`;
  test("each entry's key is told", () => {
    const delta = shop.diff(keyed(1), keyed(2));
    expect(delta.keys).toEqual([{ table: "__jump_table", function: "f", key: "key", original: undefined, kept: true }]);
    expect(relocationsOf(delta, "__jump_table")).toEqual([expect.stringMatching(/^0 f\+/), expect.stringMatching(/^4 f\+/), "8 key+0"]);
  });
  test("a branch on a key that cannot be relocated in time reads the key when it runs", () => {
    const source = (value: number): string => `
      extern struct static_key one, two; extern void rare(int) __attribute__((cold));
      int f(int x) {
        int found = ${value};
        if (static_branch(&one)) found += x;
        if (!static_branch_jump(&two)) found += 2 * x;
        if (static_branch(&two)) rare(found);
        return found;
      }`;
    const delta = shop.diff(source(1), source(1000), { keepEntry: () => false });
    expect(delta.keys.map(({ key, kept }) => [key, kept])).toEqual([
      ["one", false],
      ["two", false],
      ["two", false],
    ]);
    expect(sectionOf(delta, "__jump_table")).toBeUndefined();
    if (delta.object === undefined) throw new Error("nothing is carried");
    const printed = shop.run(
      delta.object,
      `#include <stdio.h>
      struct static_key { int enabled; void *entries; } one, two;
      asm(".pushsection .text; .globl __fentry__; __fentry__: ret; .popsection");
      void rare(int x) { printf("rare %d ", x); }
      extern int f(int);
      int main() {
        for (int i = 0; i < 6; i++) { one.enabled = i % 3 - 1; two.enabled = i > 2 ? 7 : 0; printf("%d;", f(10)); }
      }`,
    );
    expect(printed.split(";").slice(0, 6)).toEqual(["1010", "1000", "1010", "rare 1030 1030", "rare 1020 1020", "rare 1030 1030"]);
  });
  test("what follows a function's end for that unwinds as its branch does", () => {
    const asm = (value: number): string => `
      .section .text.f,"ax"
      .globl f
      .type f,@function
      f: 1: call __fentry__
      push %rbx
      2: .byte 0x0f,0x1f,0x44,0,0
      3: mov $${value}, %eax
      pop %rbx
      ret
      .size f, .-f
      .section __mcount_loc,"a"
      .quad 1b
      .section __jump_table,"aw"
      .long 2b - ., 3b - .
      .quad key + 1 - .
      .section .orc_unwind_ip,"a"
      .long f - ., f + 6 - ., f + 17 - ., f + 18 - .
      .section .orc_unwind,"a"
      .byte 1,1,1,1,1,1, 2,2,2,2,2,2, 3,3,3,3,3,3, 4,4,4,4,4,4`;
    const delta = shop.compare(shop.assemble(asm(1)), shop.assemble(asm(2)), { keepEntry: () => false });
    expect(delta.functions).toMatchObject([{ size: 37, sizeBefore: 18, symbol: { size: 37 } }]);
    expect(relocationsOf(delta, ".orc_unwind_ip")).toEqual(["0 f+0", "4 f+6", "8 f+17", "12 f+18", "16 f+37"]);
    expect([...(sectionOf(delta, ".orc_unwind")?.data ?? [])].filter((_, i) => i % 6 === 0)).toEqual([1, 2, 3, 2, 4]);
  });
  test("a branch that is too short for that is refused", () => {
    const short = (value: number): string =>
      keyed(value)
        .replace("static_branch(&key)", "short_branch(&key)")
        .replace(
          "extern struct static_key key;",
          `extern struct static_key key;
      static inline __attribute__((always_inline)) int short_branch(struct static_key *key) {
        asm goto("1: .byte 0x66,0x90\\n.pushsection __jump_table,\\"aw\\"\\n.balign 8\\n.long 1b - ., %l[yes] - .\\n.quad %c0 - .\\n.popsection" :: "i"(key) :: yes);
        return 0; yes: return 1; }`,
        );
    expect(shop.refusal(short(1), short(2), { keepEntry: () => false })).toMatchObject({ code: "DIFF_MODULE_KEY", where: { symbol: "f" } });
    expect(shop.diff(short(1), short(2)).outcome).toBe("patch");
  });
  test("a static call falls back to its trampoline", () => {
    const delta = shop.diff(calls(1), calls(2), { keepEntry: () => false });
    expect(delta.keys).toMatchObject([{ table: ".static_call_sites", key: "__SCK__op", kept: false }]);
    expect(sectionOf(delta, ".static_call_sites")).toBeUndefined();
    expect(externalNames(delta)).toEqual(["__SCT__op", "__fentry__"]);
    expect(sectionOf(shop.diff(calls(1), calls(2)), ".static_call_sites")?.size).toBe(8);
  });
  const debug = (value: number): string => `
    struct descriptor { const char *format; int line; struct static_key key; };
    int f(int x) {
      static struct descriptor __UNIQUE_ID_ddebug1 __attribute__((section("__dyndbg"))) = { "text", __LINE__ };
      if (static_branch(&__UNIQUE_ID_ddebug1.key)) printk("on");
      return ${value};
    }`;
  test("descriptors of pr_debug are the kernel's, and the module's own for code of a module", () => {
    const inKernel = shop.diff(debug(1), `\n${debug(2)}`);
    expect(externalNames(inKernel).some((name) => name.startsWith("__UNIQUE_ID_ddebug"))).toBe(true);
    const inModule = shop.diff(debug(1), debug(2), { build: { module: true, memoryHotplug: true }, keepEntry: () => false });
    expect(externalNames(inModule)).toEqual(["__fentry__", "printk"]);
    expect(sectionOf(inModule, "__dyndbg")?.size).toBeGreaterThan(0);
    expect(sectionOf(inModule, "__jump_table")?.size).toBe(16);
  });
});

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
  // That types differ, packages/build sees in what the compiler says of them; here it shows in the data and the code that use them.
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
