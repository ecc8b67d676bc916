import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type External, stem } from "@suture/diff";
import { type ElfObject, newSymbol, readElf, STT, writeElf } from "@suture/elf";
import { SutureError } from "@suture/errors";
import { Btf } from "@suture/kernel";
import { BtfBuilder } from "@suture/testkit/btf-builder";
import { folderOf } from "@suture/testkit/folders";
import fc from "fast-check";
import { expect, it } from "vitest";
import { checkKernelLayouts, checkLayouts, checkVariables, variableShape } from "./check.ts";
import { DwarfTypes } from "./dwarf.ts";

function compiled(source: string): ElfObject {
  const folder = folderOf({ "x.c": source });
  const [input, output] = [join(folder, "x.c"), join(folder, "x.o")];
  const { status, stderr } = spawnSync("gcc", ["-gdwarf-5", "-gbtf", "-O2", "-fno-common", "-fdata-sections", "-c", "-o", output, input]);
  expect(status, String(stderr)).toBe(0);
  return readElf(readFileSync(output), "x.o");
}

/** All variables are taken for such as carried code uses. */
function externals(before: ElfObject, after: ElfObject): External[] {
  return before.symbols
    .filter(({ type, name }) => type === STT.OBJECT || name === "it")
    .map((original) => {
      const patched = after.symbols.find(({ name }) => stem(name) === stem(original.name));
      return { symbol: newSymbol({ name: original.name, place: "undef" }), original, patched };
    });
}

function check(before: string, after: string, ...accepted: string[]): string[] {
  const [original, patched] = [compiled(before), compiled(after)];
  const names = new Set(accepted);
  return [...checkLayouts(original, patched, names), ...checkVariables(original, patched, externals(original, patched), names)];
}

function refused(before: string, after: string): SutureError | undefined {
  try {
    check(before, after);
    return undefined;
  } catch (error) {
    if (!(error instanceof SutureError)) throw error;
    return error;
  }
}

function refusal(before: string, after: string): string | undefined {
  const error = refused(before, after);
  if (error !== undefined) expect(error.code).toBe("BUILD_LAYOUT");
  return error?.message;
}

const list = (members: string): string => `struct page; struct folio; struct list { ${members} } the_list;`;

it.each([
  ["a member moves", "int a; long b;", "long b; int a;", "list has b at byte 0 (8 bytes), it was at byte 8 (8 bytes)"],
  ["a member grows", "int a; int b;", "long a; int b;", "list has a at byte 0 (8 bytes), it was at byte 0 (4 bytes)"],
  ["a hole is filled", "int a; long b;", "int a; int c; long b;", "list has new members in what was padding (c)"],
  [
    "another takes the place of one",
    "long a; long flags;",
    "long a; struct page *first;",
    "list has a new member first at byte 8, where flags was",
  ],
  [
    "a union has something of another type",
    "union { long b; char c; };",
    "union { long b; struct page *p; };",
    "list has a new member p at byte 0",
  ],
  ["a pointer leads elsewhere", "struct page *first;", "struct folio *first;", "list has first as struct folio*, it was struct page*"],
  ["a number becomes a pointer", "unsigned long first;", "struct folio *first;", "list has first as struct folio*, it was u64"],
  ["a function takes something else", "int (*run)(int);", "int (*run)(long);", "list has run as s32(s64)*, it was s32(s32)*"],
  [
    "in a structure without a name",
    "struct { int p; int q; } in;",
    "struct { int q; int p; } in;",
    "list has in.q at byte 0 (4 bytes), it was at byte 4 (4 bytes)",
  ],
  [
    "in an array of such",
    "struct { int p; int q; } in[3];",
    "struct { int q; int p; } in[3];",
    "list has in[].q at byte 0 (4 bytes), it was at byte 4 (4 bytes)",
  ],
  [
    "behind a pointer to such",
    "int x; struct { int p; int q; } *to;",
    "int x; struct { int q; int p; } *to;",
    "list has to->q at byte 0 (4 bytes), it was at byte 4 (4 bytes)",
  ],
  ["a bit-field moves", "int a : 3; int b : 5;", "int b : 5; int a : 3;", "list has b at bit 0 (5 bits), it was at bit 3 (5 bits)"],
  ["the end moves", "int a; char end[4];", "int a;", "list has 4 bytes, it had 8"],
])("refuses a structure in which %s", (_, before, after, why) => {
  expect(refusal(list(before), list(after))).toContain(why);
});

it.each([
  ["a second name in a union", "union { long b; char c; };", "union { long b; char c; long other; };"],
  ["a sign", "int a; long b;", "unsigned a; unsigned long b;"],
  ["a typedef and const", "int a;", "const word a;"],
  ["a member that is gone and leaves a hole", "int a; int gone; long b;", "int a; long b;"],
])("takes %s for the same layout", (_, before, after) => {
  expect(refusal(`typedef int word; ${list(before)}`, `typedef int word; ${list(after)}`)).toBeUndefined();
});

it("lets through what was accepted, and says so", () => {
  const [before, after] = [compiled(list("int a; long b;")), compiled(list("int a; int c; long b;"))];
  expect(checkLayouts(before, after, new Set(["list"]))).toEqual(["list has a new member c at byte 4, which was accepted"]);
});

it("tells of all types that lie otherwise, of inner ones where they are why the outer ones do", () => {
  const source = (first: string, last: string): string =>
    `struct first { ${first} }; struct last { ${last} }; struct outer { struct first in[2]; } outer; struct holder { struct last *to; int b; } holder;`;
  const why = refused(source("int a;", "int a; int b;"), source("long a;", "int b; int a;"));
  expect(why?.all.map(({ where }) => where.symbol)).toEqual(["first", "last"]);
});

const TYPES =
  "typedef unsigned long u64; struct page { int x; }; struct folio { int y; }; enum state { OFF, ON }; enum other { LOW, HIGH };";

/** A file whose function uses the variable `it`, which is declared so. */
const variable = (declaration: string, inside = ""): string =>
  `${TYPES} ${declaration}; struct page *p; struct folio *f; int use(int n) { ${inside} void *volatile at = &it; return at == (void *)(long)n; }`;

it.each([
  ["leads to another structure", "static struct page *it", "static struct folio *it", "it is struct folio*, it was struct page*"],
  ["was a number", "static u64 it", "static struct page *it", "it is struct page*, it was u64"],
  ["is elsewhere declared", "extern struct page *it", "extern struct folio *it", "it is struct folio*, it was struct page*"],
  ["was a number in others", "extern u64 it", "extern void *it", "it is void*, it was u64"],
  ["is longer", "static int it[4]", "static int it[8]", "it is s32[8], it was s32[4]"],
  ["is another table", "static int it[2][4]", "static int it[4][2]", "it is s32[4][2], it was s32[2][4]"],
  ["is of another enumeration", "static enum state it", "static enum other it", "it is enum32 other, it was enum32 state"],
  [
    "is nameless and turned round",
    "static struct { int a, b; } it",
    "static struct { int b, a; } it",
    "it has b at byte 0 (4 bytes), it was at byte 4 (4 bytes)",
  ],
  [
    "has such within",
    "static struct { int n; struct { int a, b; } in[3]; } it",
    "static struct { int n; struct { int b, a; } in[3]; } it",
    "it has in[].b at byte 4 (4 bytes), it was at byte 8 (4 bytes)",
  ],
  [
    "leads to such",
    "static struct { int n; union { int a; int b; } *to; } *it",
    "static struct { int n; union { int a; struct page *b; } *to; } *it",
    "it has ->to->b at byte 0 (8 bytes), it was at byte 0 (4 bytes)",
  ],
  [
    "has bits",
    "static struct { int a : 3; int b : 2; } it",
    "static struct { int a : 2; int b : 3; } it",
    "it has a at bit 0 (2 bits), it was at bit 0 (3 bits)",
  ],
  ["ends openly", "extern struct { int n; int at[]; } it", "extern struct { int n; struct page *at[]; } it", "it has at at byte 8"],
  ["takes something else", "static int (*it)(int)", "static int (*it)(long)", "it is s32(s64)*, it was s32(s32)*"],
])("refuses a variable that %s", (_, before, after, why) => {
  expect(refusal(variable(before), variable(after))).toContain(`the variable ${why}`);
});

it.each([
  ["of another type", "static struct page *it;", "static struct folio *it;", "it is struct folio*, it was struct page*"],
  [
    "of a type of its own",
    "struct own { int a, b; }; static struct own it;",
    "struct own { int b, a; }; static struct own it;",
    "it has b at byte 0 (4 bytes), it was at byte 4 (4 bytes)",
  ],
  [
    "that leads to a type of its own, which leads to itself",
    "struct own { struct own *next; int a, b; }; static struct own *it;",
    "struct own { struct own *next; int b, a; }; static struct own *it;",
    "own has b at byte 8 (4 bytes), it was at byte 12 (4 bytes)",
  ],
])("refuses a static local %s", (_, before, after, why) => {
  expect(refusal(variable("int n", before), variable("int n", after))).toContain(why);
});

it.each([
  ["a sign", "static int it", "static unsigned it"],
  ["an enumeration by name", "static int it", "static enum state it"],
  ["a typedef, const and volatile", "static u64 it", "static volatile unsigned long it"],
  ["a length that only one declaration tells", "extern int it[]", "extern int it[4]"],
  ["a hole in a nameless structure", "static struct { int a; int gone; long b; } it", "static struct { int a; long b; } it"],
])("takes %s of a variable for the same type", (_, before, after) => {
  expect(refusal(variable(before), variable(after))).toBeUndefined();
});

it("lets a type of a function that lives on its stack change", () => {
  const on = (members: string): string => variable("int it", `struct own { ${members} } own = { n }; it = own.a;`);
  expect(check(on("int a, b;"), on("long b; int a;"))).toEqual([]);
});

it("lets through a variable that was accepted, and says so", () => {
  const [before, after] = ["static struct { int a, b; } it", "static struct { int b, a; } it"].map((text) => variable(text)) as [
    string,
    string,
  ];
  expect(refused(before, after)?.mend).toContain("--accept-layout it.");
  expect(check(before, after, "it")).toEqual(["the variable it has b at byte 0 (4 bytes), it was at byte 4 (4 bytes), which was accepted"]);
});

const enumeration = (head: string, used: string, inside = ""): string =>
  `${inside === "" ? `${head};` : ""} int state; int use(void) { ${inside === "" ? "" : `${head};`} return state == ${used}; }`;

it.each([
  ["shifts the others", "enum { A, B, C }", "enum { A, NEW, B, C }", "B is 2, it was 1; C is 3, it was 2", "B"],
  ["shifts the last", "enum { A, B, C }", "enum { A, B, NEW, C }", "C is 3, it was 2", "C"],
  ["has a name", "enum loop { A, B, C }", "enum loop { B, A, C }", "enum loop: B is 0, it was 1; A is 1, it was 0", "loop"],
  ["gets a name", "enum { A, B, C }", "enum loop { B, A, C }", "enum loop: B is 0, it was 1; A is 1, it was 0", "loop"],
  ["has a number", "enum { A = 1, B = 2 }", "enum { A = 1, B = 3 }", "B is 3, it was 2", "B"],
  ["has flags", "enum { A = 1, B = 1 << 1 }", "enum { NEW = 1, A = 2, B = 4 }", "A is 2, it was 1; B is 4, it was 2", "A"],
  ["puts another in a place", "enum { A, B, C }", "enum { A, B, NEW }", "NEW is 2, which was C", "NEW"],
  ["counts negatively", "enum { A = -2, B }", "enum { A = -3, B }", "A is -3, it was -2; B is -2, it was -1", "A"],
])("refuses an enumeration that %s", (_, before, after, why, accept) => {
  for (const inside of ["", "here"]) {
    const sources = [enumeration(before, "B", inside), enumeration(after, after.includes("B") ? "B" : "A", inside)] as const;
    const error = refused(...sources);
    expect(error?.code).toBe("BUILD_RENUMBERED");
    expect(error?.message).toBe(why);
    expect(error?.mend).toContain(`--accept-layout ${accept}.`);
  }
});

it.each([
  ["an addition at the end", "enum { A, B }", "enum { A, B, NEW }", []],
  ["an addition before the count", "enum { A, B, NR_STATES }", "enum { A, B, NEW, NR_STATES }", ["NR_STATES is 3, it was 2"]],
  [
    "an addition before the count and the highest",
    "enum { A, B, __A_MAX, A_MAX = __A_MAX - 1 }",
    "enum { A, B, NEW, __A_MAX, A_MAX = __A_MAX - 1 }",
    ["__A_MAX is 3, it was 2", "A_MAX is 2, it was 1"],
  ],
  ["a second name", "enum { A, B }", "enum { A, B, LAST_ONE = B }", []],
  ["one that is gone", "enum { A, GONE, B }", "enum { A, B = 2 }", []],
  ["a constant", "enum { B = 5 }", "enum { B = 6 }", ["B is 6, it was 5"]],
])("takes %s of an enumeration for harmless", (_, before, after, notes) => {
  expect(check(enumeration(before, "B"), enumeration(after, "B"))).toEqual(notes);
});

it("lets an enumeration change that no code of the object uses", () => {
  expect(check("enum { A, B }; int state = 1;", "enum { B, A }; int state = 1;")).toEqual([]);
});

it("takes an enumeration that was accepted, by its name or an enumerator", () => {
  const sources = [enumeration("enum loop { A, B }", "B"), enumeration("enum loop { B, A }", "B")] as const;
  const notes = ["enum loop: B is 0, it was 1; A is 1, it was 0, which was accepted"];
  for (const name of ["enum loop", "loop", "A"]) expect(check(...sources, name)).toEqual(notes);
});

const state = (declaration: string, body: string): string => `${declaration}; struct a *p; int use(int n) { ${body} }`;

it("refuses a variable that nothing writes any more, read or not, unless it is said to be right", () => {
  const before = state("static int it", "if (n) it = n; return it;");
  for (const after of [state("static int it", "return it;"), state("static int it", "if (n) it = n; return 0;")]) {
    expect(refused(before, after)?.code).toBe("BUILD_FOLDED");
    expect(check(before, after, "it")).toHaveLength(1);
  }
  expect(check(before, state("static int it", "return *(volatile int *)&it;"))).toEqual([]);
  expect(check(before, state("static int other", "return other;"))).toEqual([]);
  expect(check(state("static int it", "return it;"), before)).toEqual([]);
});

it("refuses a variable that nothing writes any more, and that leads elsewhere", () => {
  const before = state("static struct page *it", "if (n) it = (void *)p; return it != 0;");
  expect(refusal(before, state("static struct folio *it", "return it != 0;"))).toBe(
    "the variable it is struct folio*, it was struct page*",
  );
});

it("refuses a static local that nothing writes any more", () => {
  const local = (body: string): string => state("int n", `static int it = 3; ${body} return it;`);
  expect(refused(local("if (n) it = n;"), local(""))?.code).toBe("BUILD_FOLDED");
});

it("holds what was written by hand against every type of that name that the kernel has", () => {
  const builder = new BtfBuilder();
  const [int, long] = [builder.int("int", 4), builder.int("long", 8)];
  builder.struct("twice", 8, [{ name: "a", type: long, at: 0 }]);
  builder.struct("twice", 8, [
    { name: "a", type: int, at: 0 },
    { name: "b", type: int, at: 32 },
  ]);
  const kernel = new Btf(builder.done(), "kernel");
  const held = (source: string): string => {
    try {
      checkKernelLayouts(kernel, compiled(source));
      return "fits";
    } catch (error) {
      return error instanceof SutureError ? `${error.code}: ${error.message}` : String(error);
    }
  };
  expect(held("struct twice { int a, b; } it;")).toBe("fits");
  expect(held("struct twice { long a; } it;")).toBe("fits");
  expect(held("struct twice { int b, a; } it;")).toContain("BUILD_LAYOUT: twice has a new member b at byte 0 in the kernel");
  expect(held("struct other { int b, a; } it;")).toBe("fits");
});

it("refuses damaged debug information with a typed error, or answers", () => {
  const good = writeElf(compiled(variable("static struct { int a : 3; struct { int b; } in[2]; } *it", "static int x = 1; n += x++;")));
  fc.assert(
    fc.property(
      fc.constantFrom(".debug_info", ".debug_abbrev", ".debug_str"),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
      (name, changes) => {
        const elf = readElf(Uint8Array.from(good), "x.o");
        const section = elf.sections.find((other) => other.name === name);
        if (section === undefined) throw new Error(`there is no ${name}`);
        section.data = Uint8Array.from(section.data);
        for (const [where, value] of changes) section.data[where % section.data.length] = value;
        try {
          const types = DwarfTypes.of(elf);
          for (const symbol of elf.symbols) types?.variable(symbol);
          for (const { variable: each } of types?.defined.values() ?? []) each();
          expect(types?.enumerations.length).toBeGreaterThanOrEqual(0);
        } catch (error) {
          if (!(error instanceof SutureError)) throw error;
          expect(error.code).toBe("BUILD_BAD_DWARF");
        }
      },
    ),
    { numRuns: 1000 },
  );
});

it("tells what the type of a variable stands for", () => {
  const elf = compiled(
    "struct key { int a; }; static const volatile struct key one = { 1 }; struct key many[3]; int f(void) { return one.a; }",
  );
  expect(["one", "many", "f", "none"].map((name) => variableShape(elf, name))).toEqual([
    "struct key",
    "struct key[3]",
    undefined,
    undefined,
  ]);
});
