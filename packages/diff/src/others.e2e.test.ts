/** Objects that others built: no types, older shapes of tables, no list of ftrace entries yet, UBSAN. */
import type { ElfObject } from "@suture/elf";
import { afterAll, describe, expect, test } from "vitest";
import { names, relocationsOf, sectionOf, Workshop } from "../test/workshop.ts";
import type { DiffOptions } from "./diff.ts";
import { layoutsOfObjects } from "./shapes.ts";

const shop = new Workshop();
afterAll(() => shop.close());

/** Without types: how entries lie is inferred, or said. */
function untyped(original: ElfObject, patched: ElfObject, given: Record<string, number> = {}, options: Partial<DiffOptions> = {}) {
  const layouts = layoutsOfObjects([original, patched], undefined, new Map(Object.entries(given)));
  return { delta: shop.compare(original, patched, { layouts, ...options }), inferred: Object.fromEntries(layouts.inferred) };
}

const FUNCTIONS = (code: string, factor: number): string => `
  struct static_key own_key; extern void other(void);
  int first(int x) { ${code} return x * 3; }
  int second(int x) { ${code} return x * ${factor}; }
  int third(int x) { ${code} return x * 7; }`;

/** Each with what code of that age writes, the bytes of its entries, and the relocations of the entries of one function. */
const SHAPES = [
  {
    age: "jump labels up to 4.19",
    code: `asm goto("1: .byte 0x0f,0x1f,0x44,0,0\\n.pushsection __jump_table,\\"aw\\"\\n.balign 8\\n.quad 1b, %l[yes], own_key + 1\\n.popsection" :: :: yes); yes:`,
    section: "__jump_table",
    size: 24,
    relocations: [/^0 second\+\d+$/, /^8 second\+\d+$/, /^16 own_key\+1$/],
  },
  {
    age: "jump labels",
    code: `asm goto("1: .byte 0x0f,0x1f,0x44,0,0\\n.pushsection __jump_table,\\"aw\\"\\n.balign 8\\n.long 1b - ., %l[yes] - .\\n.quad own_key - .\\n.popsection" :: :: yes); yes:`,
    section: "__jump_table",
    size: 16,
    relocations: [/^0 second\+\d+$/, /^4 second\+\d+$/, /^8 own_key\+0$/],
  },
  ...[
    { age: "alternatives up to 5.12", fields: ".word 0x8013\\n.byte 3, 3, 0", size: 13 },
    { age: "alternatives", fields: ".word 0x8013\\n.byte 3, 3", size: 12 },
    { age: "alternatives as of 6.3", fields: ".long 0x8013\\n.byte 3, 3", size: 14 },
  ].map(({ age, fields, size }) => ({
    age,
    code: `asm volatile("1: .byte 0x0f,0x1f,0\\n.pushsection .altinstructions,\\"a\\"\\n.long 1b - ., 2f - .\\n${fields}\\n.popsection\\n.pushsection .altinstr_replacement,\\"ax\\"\\n2: .byte 0x0f,0x01,0xcb\\n.popsection");`,
    section: ".altinstructions",
    size,
    relocations: [/^0 second\+\d+$/, /^4 \.altinstr_replacement\+0$/],
  })),
  ...[
    { age: "paravirt, the last entry without padding", end: ".short 511", size: 16 },
    { age: "paravirt in assembler", end: "", size: 16 },
    { age: "paravirt", end: ".short 511\\n.balign 8", size: 16 },
  ].map(({ age, end, size }) => ({
    age,
    code: `asm volatile("1: .byte 0x0f,0x1f,0x44,0,0\\n2:\\n.pushsection .parainstructions,\\"a\\"\\n.balign 8\\n.quad 1b\\n.byte 9, 2b - 1b\\n${end}\\n.popsection");`,
    section: ".parainstructions",
    size,
    relocations: [/^0 second\+\d+$/],
  })),
  {
    age: "warnings without a file",
    code: `asm volatile("1: ud2\\n.pushsection __bug_table,\\"aw\\"\\n2: .long 1b - .\\n.word 1\\n.org 2b + 8\\n.popsection");`,
    section: "__bug_table",
    size: 8,
    relocations: [/^0 second\+\d+$/],
  },
  {
    age: "warnings",
    code: `asm volatile("1: ud2\\n.pushsection __bug_table,\\"aw\\"\\n2: .long 1b - ., %c0 - .\\n.word 5, 1\\n.org 2b + 12\\n.popsection" :: "i"("file.c"));`,
    section: "__bug_table",
    size: 12,
    relocations: [/^0 second\+\d+$/, /^4 \.rodata\.str1\.1\+0$/],
  },
  {
    age: "warnings with their text, as of 6.19",
    code: `asm volatile("lea 2f(%%rip), %%rdi\\n1:\\n.pushsection __bug_table,\\"aw\\"\\n2: .long 1b - ., %c0 - ., %c1 - .\\n.word 5, 1\\n.org 2b + 16\\n.popsection" :: "i"("text"), "i"("file.c") : "rdi");`,
    section: "__bug_table",
    size: 16,
    relocations: [/^0 second\+\d+$/, /^4 \.rodata\.str1\.1\+\d$/, /^8 \.rodata\.str1\.1\+\d$/],
  },
  {
    age: "exceptions up to 5.16, with fixup code",
    code: `asm volatile("1: movl (%0), %%ecx\\n2:\\n.pushsection .fixup,\\"ax\\"\\n3: movl $-14, %%ecx\\njmp 2b\\n.popsection\\n.pushsection __ex_table,\\"a\\"\\n.balign 4\\n.long 1b - ., 3b - ., ex_handler_default - .\\n.popsection" :: "r"((long)x) : "ecx");`,
    section: "__ex_table",
    size: 12,
    relocations: [/^0 second\+\d+$/, /^4 \.fixup\+0$/, /^8 ex_handler_default\+0$/],
  },
  {
    age: "exceptions",
    code: `asm volatile("1: movl (%0), %%ecx\\n2:\\n.pushsection __ex_table,\\"a\\"\\n.balign 4\\n.long 1b - ., 2b - ., 3\\n.popsection" :: "r"((long)x) : "ecx");`,
    section: "__ex_table",
    size: 12,
    relocations: [/^0 second\+\d+$/, /^4 second\+\d+$/],
  },
  {
    age: "static calls",
    code: `asm volatile("1: call other\\n.pushsection .static_call_sites,\\"aw\\"\\n.balign 4\\n.long 1b - ., own_key - .\\n.popsection");`,
    section: ".static_call_sites",
    size: 8,
    relocations: [/^0 second\+\d+$/, /^4 own_key\+0$/],
  },
];

test.each(SHAPES)(
  "$age: entries of $size bytes are inferred, and one is carried with its function",
  ({ code, section, size, relocations }) => {
    const [original, patched] = [shop.compile(FUNCTIONS(code, 5)), shop.compile(FUNCTIONS(code, 9))];
    const { delta, inferred } = untyped(original, patched);
    expect(inferred).toEqual({ [section]: size });
    expect(names(delta.functions)).toEqual(["second"]);
    const carried = delta.object?.sections.filter(
      ({ name }) => name.split(".").pop() === section.split(".").pop() && !name.startsWith(".rela"),
    );
    expect(carried?.map((table) => table.size)).toEqual([size]);
    const found = relocationsOf(delta, section);
    expect(found).toHaveLength(relocations.length);
    for (const [i, pattern] of relocations.entries()) expect(found[i]).toMatch(pattern);
    // The same, said; and what cannot be.
    expect(untyped(original, patched, { [section]: size }).inferred).toEqual({});
    expect(() => untyped(original, patched, { [section]: size + 1 })).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^DIFF_(ENTRY_SIZE|TABLE)$/) }),
    );
  },
);

test("a change of an older entry, or of code that an exception leads to, is a change of its function", () => {
  const changed = (age: string, from: string, to: string): unknown => {
    const [before, after, last] = FUNCTIONS(SHAPES.find((shape) => shape.age === age)?.code ?? "", 5).split("int second");
    expect(last).toBeUndefined();
    const source = (text = ""): ElfObject => shop.compile(`${before}int second${text}`);
    // Of the first that stands behind: in the second function.
    return untyped(source(after), source(after?.replace(from, to))).delta.functions;
  };
  expect(changed("alternatives up to 5.12", "0x0f,0x01,0xcb", "0x0f,0x01,0xca")).toMatchObject([{ name: "second", why: "an alternative" }]);
  expect(changed("paravirt, the last entry without padding", ".byte 9,", ".byte 8,")).toMatchObject([{ name: "second" }]);
  expect(changed("exceptions up to 5.16, with fixup code", "$-14", "$-22")).toMatchObject([{ name: "second" }]);
});

describe("what is not certain is refused, and the option named", () => {
  const table = (body: string): ElfObject => shop.assemble(`.text\n.globl f\n.type f, @function\nf: ret\n.size f, . - f\n${body}`);
  const refusal = (object: ElfObject, given: Record<string, number> = {}): unknown => {
    try {
      return untyped(object, object, given);
    } catch (error) {
      return error;
    }
  };

  test("two sizes fit", () => {
    const object = table(`.section .altinstructions,"a"\n.skip 84`);
    expect(refusal(object)).toMatchObject({
      code: "DIFF_ENTRY_SIZE",
      where: { section: ".altinstructions" },
      message: expect.stringMatching(/12, 14 bytes would fit/),
      mend: expect.stringMatching(/--entry-size SECTION=BYTES/),
    });
    expect(untyped(object, object, { ".altinstructions": 14 }).delta.outcome).toBe("same");
  });

  test("none fits", () => {
    expect(refusal(table(`.section __jump_table,"aw"\n.long f - ., f - .\n.long f - .\n.long 0`))).toMatchObject({
      code: "DIFF_ENTRY_SIZE",
    });
  });

  test("a size is said that the relocations contradict, that is not known, or for what is no table", () => {
    const object = table(`.section __jump_table,"aw"\n.long f - ., f - .\n.quad key - .\n.long f - ., f - .\n.quad key - .`);
    expect(refusal(object, { __jump_table: 24 })).toMatchObject({ code: "DIFF_ENTRY_SIZE" });
    expect(refusal(object, { __jump_table: 32 })).toMatchObject({
      code: "DIFF_ENTRY_SIZE",
      message: expect.stringMatching(/members .* not known/),
    });
    expect(refusal(object, { ".jump_table": 16 })).toMatchObject({
      code: "DIFF_ENTRY_SIZE",
      message: expect.stringMatching(/__jump_table/),
    });
    const types = { size: () => 16, member: () => undefined };
    expect(() => layoutsOfObjects([object], types, new Map([["__jump_table", 24]])).size("jump_entry")).toThrow(/24 bytes are given/);
  });
});

describe("functions that call __fentry__, and no list of them yet", () => {
  const source = (factor: number): string => `
    static noinline int scale(int x) { return x * ${factor}; }
    static notrace noinline int silent(int x) { barrier(); return x * ${factor}; }
    int f(int x) { return scale(x) + silent(x) + 1; }`;
  const compile = (factor: number, ...more: string[]): ElfObject => shop.compile(source(factor), ["-mno-record-mcount", ...more]);

  test.each([[[]], [["-fcf-protection=branch", "-fpatchable-function-entry=16,16"]]])("can be redirected: %j", (more) => {
    const delta = shop.compare(compile(3, ...more), compile(5, ...more), { unlisted: true });
    // The caller is taken in for what has no such call.
    expect(names(delta.functions)).toEqual(["f", "scale"]);
    expect(names(delta.carriedAlong)).toEqual(["silent"]);
    expect(delta.notes).toEqual([expect.stringMatching(/no list of ftrace entries yet/)]);
  });

  test("cannot where the tool has run and did not list them, or where that must not be assumed", () => {
    expect(() => shop.compare(compile(3), compile(5))).toThrow(expect.objectContaining({ code: "DIFF_NOT_PATCHABLE" }));
    // As if the tool had found one function only.
    const listed = (factor: number): ElfObject => {
      const elf = shop.compile(source(factor));
      const list = elf.sections.find(({ name }) => name === ".rela__mcount_loc");
      if (list === undefined) throw new Error("no list");
      list.relocations = list.relocations.slice(0, 1);
      return elf;
    };
    expect(() => shop.compare(listed(3), listed(5), { unlisted: true })).toThrow(expect.objectContaining({ code: "DIFF_NOT_PATCHABLE" }));
  });

  test("-mrecord-mcount lists them itself", () => {
    const delta = shop.compare(shop.compile(source(3)), shop.compile(source(5)), { unlisted: true });
    expect(names(delta.functions)).toEqual(["f", "scale"]);
    expect(delta.notes).toEqual([]);
    expect(sectionOf(delta, "__mcount_loc")?.size).toBe(16);
  });
});

describe("UBSAN", () => {
  const options = ["-fsanitize=bounds,shift,signed-integer-overflow,null,alignment,unreachable,bool,enum"];
  const compile = (source: string): ElfObject => shop.compile(source, options);
  const source = (before: string, f: string, g = "table[i] + s"): string => `
    extern int table[10]; ${before}
    int f(int i, int s) { return ${f}; }
    int g(int i, int s) { return ${g}; }`;

  test("lines that moved are no change", () => {
    const delta = shop.compare(compile(source("", "table[i] << s")), compile(source("\n\n  ", "\n table[i] << s")));
    expect(delta).toMatchObject({ outcome: "same", notes: [] });
  });

  test("what is reported is carried with the function that changed, the kernel's is left to the others", () => {
    const delta = shop.compare(compile(source("", "table[i] << s")), compile(source("\n", "(table[i] << s) + i")));
    expect(names(delta.functions)).toEqual(["f"]);
    const carried = delta.object?.sections.filter(({ name }) => name.startsWith(".data..Lubsan")) ?? [];
    expect(carried.filter(({ name }) => name.startsWith(".data..Lubsan_data"))).toHaveLength(3);
    // The kernel writes into it what it has reported.
    expect(carried.every(({ flags }) => (flags & 1) === 1)).toBe(true);
    expect(names(delta.externals.map(({ symbol }) => symbol)).filter((name) => name.startsWith("__ubsan"))).toEqual([
      "__ubsan_handle_add_overflow",
      "__ubsan_handle_out_of_bounds",
      "__ubsan_handle_shift_out_of_bounds",
    ]);
  });

  test("another type in a report is a change", () => {
    const type = (to: string): ElfObject => compile(source("typedef int t1; typedef unsigned t2;", `i << (${to})s`));
    expect(names(shop.compare(type("t1"), type("t2")).functions)).toEqual(["f"]);
  });
});
