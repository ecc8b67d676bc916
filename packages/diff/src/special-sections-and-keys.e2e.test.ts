/** Points of the design's checklist for object differs, each pinned by objects that gcc makes here: special sections, static keys and static calls. */
import type { ElfObject } from "@suture/elf";
import { afterAll, describe, expect, test } from "vitest";
import { externalNames, names, relocationsOf, sectionOf, Workshop } from "../test/workshop.ts";

const shop = new Workshop();
afterAll(() => shop.close());

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

describe("entries that code hands on, as warnings of newer kernels do", () => {
  /** The line that the entry says, which is where `2:` leads from its own code. */
  const WARN = `#define WARN(line) ({ unsigned short *bug; \\
    asm volatile("lea 2f(%%rip), %0\\n1: nop\\n.pushsection __bug_table,\\"aw\\"\\n2: .long 1b - ., %c1 - .\\n.word %c2, 1\\n.popsection" : "=r"(bug) : "i"("format"), "i"(line)); bug[4]; })`;
  const three = (value: number, line = 20): string => `${WARN}
    int f(int x) { return x == 3 ? WARN(10) : 1; }
    int g(int x) { return x == 3 ? WARN(${line}) : x == 4 ? WARN(${line + 1}) : ${value}; }
    int h(int x) { return x == 3 ? WARN(30) : 3; }`;
  test("come with it, and the address is that of the copy", () => {
    const delta = shop.diff(three(1), three(2));
    expect(names(delta.functions)).toEqual(["g"]);
    expect(sectionOf(delta, "__bug_table")?.size).toBe(24);
    const { object } = delta;
    if (object === undefined) throw new Error("nothing came out");
    const said = shop.run(
      object,
      `#include <stdio.h>
      int g(int); void __fentry__(void) {}
      int main(void) { printf("%d %d %d", g(3), g(4), g(5)); return 0; }`,
    );
    expect(said).toBe("20 21 2");
  });
  test("a warning whose line alone differs is the same, one that is gone is not", () => {
    expect(shop.diff(three(1), three(1, 22)).functions).toEqual([]);
    expect(names(shop.diff(three(1), three(1).replace("x == 4 ? WARN(21) : ", "")).functions)).toEqual(["g"]);
    expect(names(shop.diff(three(1), three(1).replace("WARN(30)", "WARN(30) + WARN(31)")).functions)).toEqual(["h"]);
  });
  test("another function's is refused", () => {
    const foreign = (value: number): string => `
      asm(".pushsection __bug_table,\\"aw\\"\\ntheirs:\\n.popsection");
      int f(int x) { asm volatile("1: nop\\n.pushsection __bug_table,\\"aw\\"\\n.long 1b - ., 0\\n.word 7, 1\\n.popsection"); return 1; }
      int g(int x) { long bug; asm volatile("lea theirs(%%rip), %0" : "=r"(bug)); return bug == ${value}; }`;
    expect(shop.refusal(foreign(1), foreign(2))).toMatchObject({
      code: "DIFF_REFERENCE",
      message: expect.stringContaining("g refers to __bug_table+0x0, which is no entry of its own"),
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

describe("constants that the kernel writes into code at boot", () => {
  const source = (name: string, by: number): string => `
    static inline __attribute__((always_inline)) unsigned long constant(void) {
      unsigned long value;
      asm("mov %1, %0\\n1:\\n.pushsection runtime_ptr_${name}, \\"a\\"\\n.long 1b - 8 - .\\n.popsection" : "=r"(value) : "i"(0x0123456789abcdefUL));
      return value;
    }
    int f(unsigned long x) { return x <= constant() ? ${by} : 0; }
    int g(unsigned long x) { register unsigned long high asm("r12") = constant(); asm volatile("" : "+r"(high)); return x > high ? ${by} : 0; }`;
  test("are read from their variable", () => {
    const delta = shop.diff(source("limit", 1), source("limit", 2));
    expect(names(delta.functions)).toEqual(["f", "g"]);
    expect(externalNames(delta)).toEqual(["__fentry__", "limit"]);
    expect(delta.externals.filter(({ constant }) => constant).map(({ symbol }) => symbol.name)).toEqual(["limit"]);
    expect(sectionOf(delta, "runtime_ptr_limit")).toBeUndefined();
    const program = `#include <stdio.h>
      unsigned long limit = 100; asm(".pushsection .text; .globl __fentry__; __fentry__: ret; .popsection"); int f(unsigned long), g(unsigned long);
      int main() { printf("%d %d %d %d", f(50), f(200), g(50), g(200)); }`;
    expect(shop.run(delta.object as ElfObject, program)).toBe("2 0 0 2");
  });
  test("another one is a difference, though the bytes are the same", () => {
    expect(names(shop.diff(source("limit", 1), source("other", 1)).functions)).toEqual(["f", "g"]);
    expect(shop.diff(source("limit", 1), source("limit", 1)).outcome).toBe("same");
  });
  test("in an instruction that is too short are refused", () => {
    const shift = (by: number): string =>
      `int f(int x) { asm("shrl $12, %0\\n1:\\n.pushsection runtime_shift_bits, \\"a\\"\\n.long 1b - 1 - .\\n.popsection" : "+r"(x)); return x + ${by}; }`;
    expect(shop.refusal(shift(1), shift(2))).toMatchObject({ code: "DIFF_RUN_TIME_CONSTANT", where: { symbol: "f" } });
  });
});

describe("lists of places in code whose use is not known", () => {
  test("keep functions from being carried", () => {
    const listed = (by: number): string =>
      `int f(int x) { asm volatile("nop\\n1: .pushsection some_places, \\"a\\"\\n.long 1b - .\\n.popsection"); return x + ${by}; }`;
    expect(shop.refusal(listed(1), listed(2))).toMatchObject({ code: "DIFF_UNKNOWN_SECTION", where: { symbol: "f" } });
  });
});
