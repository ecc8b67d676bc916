/** With gcc and ld: a small module of two objects, and objects that are its, or not quite. */
import { type ElfObject, type ElfSymbol, SHF } from "@suture/elf";
import type { KernelModule } from "@suture/kernel";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FIRST, layouts, SECOND, Workshop } from "../test/gcc.ts";
import type { ObjectProof } from "./model.ts";
import { proveObject } from "./proof.ts";

const workshop = new Workshop();
const SECTIONS = ["-ffunction-sections", "-fdata-sections"];
let module: KernelModule;

beforeAll(async () => {
  module = await workshop.module(SECOND, FIRST);
});
afterAll(() => workshop.dispose());

function prove(plain: ElfObject, sections?: ElfObject): ObjectProof {
  return proveObject({ object: plain.file, plain, sections, against: module, layouts });
}

function unproven(proof: ObjectProof): string[] {
  return proof.functions.filter((f) => !f.proven && f.doubts[0]?.code !== "overridden").map((f) => f.name);
}

function symbol(elf: ElfObject, name: string): ElfSymbol {
  const found = elf.symbols.find((s) => s.name === name && typeof s.place !== "string");
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

describe("the module's own objects", () => {
  test("are proven, whole and with a section for each function", () => {
    for (const source of [FIRST, SECOND]) {
      const proof = prove(workshop.compile("a.o", source), workshop.compile("b.o", source, ...SECTIONS));
      expect(unproven(proof)).toEqual([]);
      expect(proof.complete).toBe(true);
      expect(proof.mismatches).toEqual([]);
    }
  });

  test("functions that run at the start only are told", () => {
    const proof = prove(workshop.compile("a.o", FIRST));
    expect(proof.functions.filter((f) => f.init).map((f) => f.name)).toEqual(["at_start"]);
  });

  test("a weak function that another object replaces is not proven, and that is the only cause", () => {
    const proof = prove(workshop.compile("a.o", FIRST));
    expect(proof.overridden.map(({ name }) => name)).toEqual(["replaced"]);
    expect(proof.proven("replaced")).toBe(false);
    expect(proof.causes.map(({ kind }) => kind)).toEqual(["override"]);
  });

  test("nor is the cold part of one, and all else is", async () => {
    const other = new Workshop();
    try {
      const rarely = "extern __attribute__((cold)) int rarely(int); extern int often(int);";
      const weak = `${rarely}__attribute__((weak)) int split(int n) { if (n > 40) return rarely(n) + often(n); return often(n + 1); }
int beside(int n) { return split(n) + 3; }
asm(".pushsection .modinfo,\\"a\\"\\n.asciz \\"name=small\\"\\n.asciz \\"vermagic=9.8.7 SMP \\"\\n.popsection");`;
      const against = await other.module(`${rarely}int split(int n) { return often(n); }`, weak);
      const plain = other.compile("a.o", weak);
      const proof = proveObject({ object: plain.file, plain, sections: other.compile("b.o", weak, ...SECTIONS), against, layouts });
      expect(proof.functions.filter(({ name }) => !proof.proven(name)).map(({ name }) => name)).toEqual(["split", "split.cold"]);
      expect(proof.complete).toBe(true);
      expect(proof.causes.map(({ kind }) => kind)).toEqual(["override"]);
    } finally {
      other.dispose();
    }
  });

  test("functions of one name are told apart, in either build", () => {
    for (const [source, other] of [
      [FIRST, SECOND],
      [SECOND, FIRST],
    ] as const) {
      const plain = workshop.compile("a.o", source);
      const sections = workshop.compile("b.o", source, ...SECTIONS);
      const proof = prove(plain, sections);
      const places = [plain, sections].map((elf) => proof.place(symbol(elf, "helper")));
      expect(places[0]).toBeDefined();
      expect(places[1]).toEqual(places[0]);
      const ranks = module.named("helper").map((s) => ({ address: s.value, sympos: module.sympos(s) }));
      expect(ranks).toContainEqual({ address: places[0]?.address, sympos: places[0]?.sympos });
      expect(prove(workshop.compile("a.o", other)).place(symbol(workshop.compile("a.o", other), "helper"))).toBeUndefined();
    }
  });

  test("variables have a place, and names that are there once have rank 0", () => {
    const sections = workshop.compile("b.o", FIRST, ...SECTIONS);
    const proof = prove(workshop.compile("a.o", FIRST), sections);
    for (const name of ["count", "zeros", "steps", "last"]) {
      const [there] = module.named(name);
      expect(proof.place(symbol(sections, name)), name).toMatchObject({ name, sympos: 0, address: there?.value });
    }
  });
});

describe("what is not the module's", () => {
  const changes: [what: string, from: string, to: string, functions: string[]][] = [
    ["a constant", "n + 1", "n + 2", ["middle"]],
    ["a comparison", "n == 7", "n != 7", ["middle"]],
    ["a called function", "middle(n) + helper(n)", "middle(n) + start(n)", ["last"]],
    ["a string", '"seven"', '"eight"', ["middle"]],
    ["a constant in a table", "{ 1, 10, 100, 1000 }", "{ 1, 10, 100, 1001 }", ["start"]],
    ["a variable's first value", "count = 3", "count = 4", ["helper"]],
    ["a warning's line", ".word 7, 1", ".word 8, 1", ["start"]],
  ];
  test.each(changes)("%s", (_, from, to, functions) => {
    const proof = prove(workshop.compile("a.o", FIRST.replace(from, to)));
    expect(unproven(proof)).toEqual(expect.arrayContaining(functions));
    expect(proof.complete).toBe(false);
    expect(proof.causes.length).toBeGreaterThan(0);
  });

  test("a warning that is not in the source is missed in the table", () => {
    const proof = prove(workshop.compile("a.o", FIRST.replace(/\.pushsection __bug_table.*?\.popsection/, "")));
    expect(proof.mismatches.map(({ code, function: name }) => [code, name])).toContainEqual(["table", "start"]);
    expect(proof.proven("start")).toBe(false);
  });

  test("the instructions of both sides are shown", () => {
    const proof = prove(workshop.compile("a.o", FIRST.replace("n == 7", "n == 9")));
    const [mismatch] = proof.mismatches.filter(({ code }) => code === "bytes");
    expect(mismatch?.function).toBe("middle");
    expect(mismatch?.instructions()).toMatchObject({ object: expect.stringContaining("$9"), kernel: expect.stringContaining("$7") });
  });

  test("other compiler options are guessed", () => {
    const proof = prove(workshop.compile("a.o", FIRST, "-O1"));
    expect(proof.complete).toBe(false);
    expect(proof.causes.map(({ kind }) => kind)).toContain("options");
  });

  test("another compiler is named", () => {
    const plain = workshop.compile("a.o", FIRST.replace("n + 1", "n + 2"));
    const built = { compiler: "gcc-3 (Somebody 3.3.3-3) 3.3.3" };
    const proof = proveObject({ object: "a.o", plain, sections: undefined, against: module, layouts, built });
    expect(proof.causes[0]).toMatchObject({ kind: "compiler", certain: true });
  });

  test("another release of the source is named", () => {
    const plain = workshop.compile("a.o", FIRST.replace("n + 1", "n + 2"));
    const proof = proveObject({ object: "a.o", plain, sections: undefined, against: module, layouts, built: { release: "9.8.6" } });
    expect(proof.causes[0]).toMatchObject({ kind: "source", certain: true });
  });
});

describe("a build with sections that is not of the same source", () => {
  test.each([
    ["n + 1", "n + 2", "middle"],
    ['"seven"', '"eight"', "middle"],
    ["middle(n) + helper(n)", "middle(n) + start(n)", "last"],
    ["{ 1, 10, 100, 1000 }", "{ 1, 10, 100, 1001 }", "start"],
  ])("%s → %s", (from, to, name) => {
    const proof = prove(workshop.compile("a.o", FIRST), workshop.compile("b.o", FIRST.replace(from, to), ...SECTIONS));
    expect(unproven(proof)).toContain(name);
    expect(proof.functions.find((f) => f.name === name)?.doubts.at(-1)?.code).toBe("split");
  });

  test("a jump that grew is the same", async () => {
    // A jump to a function that is near is one byte in a common section, and four between sections.
    const source = `extern int outside(const char *, int);
      static __attribute__((noinline)) int close(int n) { return outside("close", n); }
      int near(int n) { return n < 0 ? close(n + 1) : 5; }
      asm(".pushsection .modinfo,\\"a\\"\\n.asciz \\"name=small\\"\\n.popsection");`;
    const [plain, sections] = [workshop.compile("a.o", source), workshop.compile("b.o", source, ...SECTIONS)];
    expect(symbol(sections, "near").size).toBeGreaterThan(symbol(plain, "near").size);
    const proof = proveObject({ object: "a.o", plain, sections, against: await workshop.module(source), layouts });
    expect(proof.functions.map((f) => [f.name, f.proven])).toEqual([
      ["close", true],
      ["near", true],
    ]);
    const other = workshop.compile("b.o", source.replace("n + 1", "n + 2"), ...SECTIONS);
    expect(proveObject({ object: "a.o", plain, sections: other, against: await workshop.module(source), layouts }).proven("near")).toBe(
      false,
    );
  });
});

describe("constants without a name, which stand between the variables", () => {
  // Strings with zeros inside are not merged. Those of a table stand before it, and the next table's behind it.
  const source = String.raw`
    struct vector { const char *in, *out; int size; };
    static const struct vector one[] = { { "a\0bcdefg", "h\0ijkl", 8 }, { "a\0bcdefg", "\0\0\0\0\0\0\0", 3 }, { "x\0", "\0\0\0\0\0\0\0", 1 } };
    static const struct vector two[] = { { "m\0nopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", "aa\0a", 42 }, { "h\0ijkl", "123\000456", 3 } };
    static const struct vector *const all[] = { one, two };
    extern int outside(const struct vector *);
    int each(int n) { return outside(&all[n & 1][n]); }
    int first(int n) { return one[n].size + *(const int *)"1234\000678"; }
    asm(".pushsection .modinfo,\"a\"\n.asciz \"name=small\"\n.popsection");`;
  let kernel: KernelModule;
  let plain: ElfObject;
  const against = (sections: ElfObject): ObjectProof => proveObject({ object: "a.o", plain, sections, against: kernel, layouts });
  const rodata = (elf: ElfObject): ElfObject["sections"][number] => {
    const found = elf.sections.find(({ name }) => name === ".rodata");
    if (found === undefined) throw new Error("no .rodata");
    return found;
  };

  beforeAll(async () => {
    kernel = await workshop.module(source);
    plain = workshop.compile("a.o", source);
  });

  test("are found there", () => {
    const sections = workshop.compile("b.o", source, ...SECTIONS);
    expect(rodata(sections).data.length).toBeGreaterThan(0);
    expect(unproven(against(sections))).toEqual([]);
    expect(against(sections).complete).toBe(true);
  });

  test.each([
    ["another one", "rstuvw", "rstuww"],
    ["a shorter one", String.raw`123\000456`, String.raw`123\00045`],
    ["another variable", "3 } };", "4 } };"],
    ["one in place of another", String.raw`"aa\0a", 42`, String.raw`"h\0ijkl", 42`],
  ])("%s", (_, from, to) => {
    const other = source.replace(from, to);
    expect(other).not.toBe(source);
    expect(unproven(against(workshop.compile("b.o", other, ...SECTIONS)))).not.toEqual([]);
  });

  test("no flipped bit of them, or of what refers to them, passes", () => {
    const sections = workshop.compile("b.o", source, ...SECTIONS);
    const { data } = rodata(sections);
    for (let at = 0; at < data.length; at++)
      for (let bit = 0; bit < 8; bit++) {
        data[at] = (data[at] ?? 0) ^ (1 << bit);
        expect(unproven(against(sections)), `+ ${at}, bit ${bit}`).not.toEqual([]);
        data[at] = (data[at] ?? 0) ^ (1 << bit);
      }
    const references = sections.sections
      .flatMap(({ relocations }) => relocations)
      .filter(
        (one) =>
          one.symbol?.place === rodata(sections) ||
          (typeof one.symbol?.place !== "string" && one.symbol?.place.name.startsWith(".rodata.")),
      );
    expect(references.length).toBeGreaterThan(10);
    for (const relocation of references)
      for (let bit = 0; bit < 32; bit++) {
        relocation.addend ^= 1 << bit;
        expect(unproven(against(sections)), `addend at ${relocation.offset}, bit ${bit}`).not.toEqual([]);
        relocation.addend ^= 1 << bit;
      }
    expect(unproven(against(sections))).toEqual([]);
  });
});

describe("code that each object of the module has, and nothing of it calls", () => {
  // As a header's function is, of which the compiler keeps the part that the others would jump to.
  const unused = (n: number): string => `__attribute__((used, noinline, cold)) static void dead(void) { outside("dead", ${n}); }`;
  const source = (n: number, body: string): string => `extern int outside(const char *, int);\n${unused(n)}\n${body}`;
  const INFO = 'asm(".pushsection .modinfo,\\"a\\"\\n.asciz \\"name=small\\"\\n.popsection");';
  const own = source(4, `int one(int n) { return outside("one", n); }\n${INFO}`);
  const others = [
    source(4, `int two(int n) { return outside("two", n); }`),
    source(4, `int three(int n) { return outside("three", n + 1); }`),
  ];

  test("is proven where all are alike, and has no place", async () => {
    const against = await workshop.module(own, ...others);
    const [plain, sections] = [workshop.compile("a.o", own), workshop.compile("b.o", own, ...SECTIONS)];
    const proof = proveObject({ object: "a.o", plain, sections, against, layouts });
    expect(unproven(proof)).toEqual([]);
    expect(proof.complete).toBe(true);
    expect(proof.functions.find(({ name }) => name === "dead")).toMatchObject({ proven: true, address: undefined });
    for (const elf of [plain, sections]) {
      expect(proof.place(symbol(elf, "dead"))).toBeUndefined();
      expect(proof.anchor(symbol(elf, "dead"))).toBeUndefined();
      expect(proof.place(symbol(elf, "one"))).toMatchObject({ name: "one", sympos: 0 });
    }
  });

  test.each([
    ["a number", "4", "5"],
    ["a string", '"dead"', '"dear"'],
    ["what it calls", "outside(", "others("],
  ])("is not where it is another: %s", async (_, from, to) => {
    const against = await workshop.module(own, ...others);
    const other = own.replace(unused(4), unused(4).replace(from, to)).replace("outside(const", `outside(const char *, int), others(const`);
    const proof = proveObject({ object: "a.o", plain: workshop.compile("a.o", other), sections: undefined, against, layouts });
    expect(unproven(proof)).toContain("dead");
    expect(proof.complete).toBe(false);
  });

  test("nor where one of those that fit has a table's entry otherwise", async () => {
    const warned = (line: number): string =>
      `asm volatile("1: ud2\\n.pushsection __bug_table,\\"aw\\"\\n2: .long 1b - 2b\\n.long 0\\n.word ${line}, 1\\n.popsection");`;
    const dead = (text: string, line: number): string => text.replace('outside("dead", 4);', warned(line));
    const [second = "", third = ""] = others;
    const plain = workshop.compile("a.o", dead(own, 7));
    const proofAgainst = async (line: number): Promise<ObjectProof> => {
      const against = await workshop.module(dead(own, 7), dead(second, line), dead(third, 7));
      return proveObject({ object: "a.o", plain, sections: undefined, against, layouts });
    };
    expect(unproven(await proofAgainst(7))).toEqual([]);
    const proof = await proofAgainst(8);
    expect(proof.functions.find(({ name }) => name === "dead")).toMatchObject({ proven: false, doubts: [{ code: "ambiguous" }] });
  });
});

describe("records that no symbol names, which code hands to a checker of undefined behaviour", () => {
  const CHECKED = ["-fsanitize=shift", "-fsanitize=bounds-strict"];
  // The texts of warnings are looked for from the table's own field, however short they are.
  const source = `# 1 "small.c"
    int many[4];
    int shifted(int n, int by) {
      asm volatile("1: ud2\\n.pushsection .rodata.str1.1,\\"aMS\\",@progbits,1\\n.Ltext: .string \\"\\"\\n.popsection\\n"
        ".pushsection __bug_table,\\"aw\\"\\n2: .long 1b - 2b\\n.long .Ltext - .\\n.word 7, 1\\n.popsection");
      return (n << by) + many[n];
    }
    asm(".skip 16");
    int again(int n) { asm volatile(".p2align 5\\n4: decl %0\\n jne 4b" : "+r"(n)); return 1 << n; }
    asm(".pushsection .modinfo,\\"a\\"\\n.asciz \\"name=small\\"\\n.popsection");`;

  test("are proven by the code that refers to them, and no flipped bit of them passes", async () => {
    const plain = workshop.compile("a.o", source, ...CHECKED);
    const sections = workshop.compile("b.o", source, ...CHECKED, ...SECTIONS);
    const against = await workshop.moduleOf([source], ...CHECKED);
    const proof = (): ObjectProof => proveObject({ object: "a.o", plain, sections, against, layouts });
    expect(unproven(proof())).toEqual([]);
    expect(proof().complete).toBe(true);
    // Behind padding that only one build has, references are found by their instructions.
    const [one, other] = [plain, sections].map((elf) => symbol(elf, "again").size);
    expect(one).not.toBe(other);
    const of = (elf: ElfObject): ElfObject["sections"] =>
      elf.sections.filter(({ name, data }) => /^\.data(\..*)?$/.test(name) && data.length > 0);
    expect(of(plain).length).toBeGreaterThan(0);
    expect(of(sections).length).toBeGreaterThan(of(plain).length);
    for (const elf of [plain, sections])
      for (const section of of(elf)) {
        const fields = elf.sections.flatMap((one) => (one.target === section ? one.relocations.map(({ offset }) => offset) : []));
        expect(elf.symbols.some(({ place, name }) => place === section && name !== "")).toBe(false);
        for (let at = 0; at < section.data.length; at++) {
          if (fields.some((field) => at >= field && at < field + 8)) continue;
          for (let bit = 0; bit < 8; bit++) {
            section.data[at] = (section.data[at] ?? 0) ^ (1 << bit);
            expect(unproven(proof()), `${section.name} + ${at}, bit ${bit}`).not.toEqual([]);
            section.data[at] = (section.data[at] ?? 0) ^ (1 << bit);
          }
        }
      }
  });
});

describe("code out of line, a piece of each function in the order in which the compiler wrote them", () => {
  const piece = (name: string, bit: number): string => `int ${name}(int n) {
      asm goto("jmp 6f\\n.pushsection .altinstr_aux,\\"ax\\"\\n6: testb $${bit}, bits(%%rip)\\njnz %l[yes]\\njmp %l[no]\\n.popsection" :::: yes, no);
      yes: return n + 1;
      no: return n * ${bit};
    }`;
  const HEAD = 'char bits;\nasm(".pushsection .modinfo,\\"a\\"\\n.asciz \\"name=small\\"\\n.popsection");\n';
  const [one, two, three] = [piece("one", 1), piece("two", 2), piece("three", 4)];
  const source = HEAD + one + two + three;
  const AS_WRITTEN = "-fno-toplevel-reorder";
  let kernel: KernelModule;
  let plain: ElfObject;
  const of = (text: string): ElfObject => workshop.compile("b.o", text, AS_WRITTEN, ...SECTIONS);
  const against = (sections: ElfObject): ObjectProof => proveObject({ object: "a.o", plain, sections, against: kernel, layouts });

  beforeAll(async () => {
    kernel = await workshop.moduleOf([source], AS_WRITTEN);
    plain = workshop.compile("a.o", source, AS_WRITTEN);
  });

  test("is proven in any order", () => {
    for (const text of [source, HEAD + three + one + two, HEAD + two + one + three]) {
      expect(unproven(against(of(text)))).toEqual([]);
      expect(against(of(text)).complete).toBe(true);
    }
  });

  test("and not with another piece", () => {
    expect(unproven(against(of(HEAD + three + piece("one", 1).replace("testb $1", "testb $3") + two)))).toContain("one");
    const swapped = HEAD + three + piece("one", 1).replace("testb $1", "testb $2") + piece("two", 2).replace("testb $2", "testb $1");
    expect(unproven(against(of(swapped)))).toEqual(expect.arrayContaining(["one", "two"]));
  });

  test("no flipped bit of it, or of what leads to it or from it, passes", () => {
    const sections = of(HEAD + three + one + two);
    const aux = sections.sections.find(({ name }) => name === ".altinstr_aux");
    if (aux === undefined) throw new Error("no code out of line");
    const from = sections.sections.flatMap((one) => (one.target === aux ? one.relocations : []));
    const fields = new Set(from.flatMap(({ offset }) => [0, 1, 2, 3].map((n) => offset + n)));
    for (let at = 0; at < aux.data.length; at++)
      for (let bit = 0; bit < 8; bit++) {
        if (fields.has(at)) continue;
        aux.data[at] = (aux.data[at] ?? 0) ^ (1 << bit);
        expect(unproven(against(sections)), `+ ${at}, bit ${bit}`).not.toEqual([]);
        aux.data[at] = (aux.data[at] ?? 0) ^ (1 << bit);
      }
    const leading = sections.sections.flatMap(({ relocations }) => relocations).filter(({ symbol: to }) => to?.place === aux);
    expect([leading.length, from.length]).toEqual([3, 9]);
    for (const relocation of [...leading, ...from])
      for (let bit = 0; bit < 16; bit++) {
        relocation.addend ^= 1 << bit;
        expect(unproven(against(sections)), `addend at ${relocation.offset}, bit ${bit}`).not.toEqual([]);
        relocation.addend ^= 1 << bit;
      }
    expect(unproven(against(sections))).toEqual([]);
  });
});

test("padding before a function may have its name of any of the function's, and of no other's", async () => {
  const source = (padding: string): string => `
    asm(".globl ${padding}\\n.type ${padding},@function\\n.p2align 4\\n${padding}: .rept 16\\nnop\\n.endr\\n.size ${padding},16\\n"
      ".globl one, other\\n.type one,@function\\n.type other,@function\\none: other: incl %edi\\nret\\n.size one,.-one\\n.size other,.-other\\n.p2align 4\\n"
      ".globl third\\n.type third,@function\\nthird: decl %edi\\nret\\n.size third,.-third");
    asm(".pushsection .modinfo,\\"a\\"\\n.asciz \\"name=small\\"\\n.popsection");`;
  const against = await workshop.moduleOf([source("__pfx_other")]);
  const proven = (padding: string): string[] => {
    const elf = (name: string): ElfObject => workshop.compile(name, source(padding));
    return unproven(proveObject({ object: "a.o", plain: elf("a.o"), sections: elf("b.o"), against, layouts }));
  };
  expect(proven("__pfx_other")).toEqual([]);
  expect(proven("__pfx_one")).toEqual([]);
  expect(proven("__pfx_third").length).toBeGreaterThan(0);
  expect(proven("other_padding").length).toBeGreaterThan(0);
});

test("a second name of a table of devices may be missing in the kernel, where the first is known, and no other name may", async () => {
  const source = (names: string): string => `int devices[4] = { 1, 2 }; int others[4] = { 3 };
    int use(int n) { return devices[n] + others[n]; }
    ${names}
    asm(".pushsection .modinfo,\\"a\\"\\n.asciz \\"name=small\\"\\n.popsection");`;
  const against = await workshop.moduleOf([source("")], ...SECTIONS);
  const proven = (names: string): string[] => {
    const elf = (name: string): ElfObject => workshop.compile(name, source(names), ...SECTIONS);
    return unproven(proveObject({ object: "a.o", plain: elf("a.o"), sections: elf("b.o"), against, layouts }));
  };
  const alias = (name: string): string => `extern typeof(devices) ${name} __attribute__((alias("devices")));`;
  expect(proven("")).toEqual([]);
  expect(proven(alias("__mod_device_table__kmod_small__of__devices"))).toEqual([]);
  expect(proven(alias("other_name"))).toEqual([expect.stringContaining("use")]);
  // As its only name.
  const renamed = proveObject({
    object: "a.o",
    plain: workshop.compile("a.o", source("").replaceAll("devices", "__mod_device_table__devices"), ...SECTIONS),
    sections: workshop.compile("b.o", source("").replaceAll("devices", "__mod_device_table__devices"), ...SECTIONS),
    against,
    layouts,
  });
  expect(unproven(renamed)).toEqual(["use"]);
});

describe("code that hands on its own entry of a table, as warnings do", () => {
  const warning = (line: number): string =>
    `asm volatile("lea 2f(%%rip), %%rdi\\n1: ud2\\n.pushsection __bug_table,\\"aw\\"\\n2: .long 1b - 2b\\n.long 0\\n.word ${line}, 1\\n.popsection" ::: "rdi");`;
  const source = `int one(int n) { ${warning(7)} return n + 1; }
    int two(int n) { ${warning(9)} ${warning(9)} return n + 2; }
    asm(".pushsection .modinfo,\\"a\\"\\n.asciz \\"name=small\\"\\n.popsection");`;

  test("is proven, and not with another entry", async () => {
    const plain = workshop.compile("a.o", source);
    const sections = workshop.compile("b.o", source, ...SECTIONS);
    const against = await workshop.module(source);
    const proof = (): ObjectProof => proveObject({ object: "a.o", plain, sections, against, layouts });
    expect(unproven(proof())).toEqual([]);
    for (const elf of [plain, sections]) {
      const references = elf.sections
        .filter(({ target }) => target?.name.startsWith(".text"))
        .flatMap(({ relocations }) => relocations)
        .filter(({ symbol }) => typeof symbol?.place !== "string" && symbol?.place.name === "__bug_table");
      expect(references.length).toBe(3);
      for (const relocation of references) {
        const { addend } = relocation;
        for (const other of [...Array.from({ length: 32 }, (_, bit) => addend ^ (1 << bit)), addend + 12, addend - 12, addend + 24]) {
          relocation.addend = other;
          expect(unproven(proof()), `${addend} as ${other}`).not.toEqual([]);
        }
        relocation.addend = addend;
      }
    }
    expect(unproven(proof())).toEqual([]);
  });
});

describe("a table whose last entry ends with what means something, not where the next would begin", () => {
  const site = (type: number): string =>
    `asm volatile("1: call outside_op\\n2:\\n.pushsection .parainstructions,\\"a\\"\\n.balign 8\\n.quad 1b\\n.byte ${type}, 2b - 1b\\n.short 1\\n.popsection");`;
  const MODINFO = 'asm(".pushsection .modinfo,\\"a\\"\\n.asciz \\"name=small\\"\\n.popsection");';
  const one = `void one(void) { ${site(3)} } void two(void) { ${site(4)} } ${MODINFO}`;
  const other = `void three(void) { ${site(5)} }`;
  const proofOf = (source: string, against: KernelModule): ObjectProof =>
    proveObject({ object: "a.o", plain: workshop.compile("a.o", source), sections: undefined, against, layouts });

  test("is read, in the object and where it runs, and another one is told", async () => {
    const first = await workshop.module(one, other);
    const last = await workshop.module(other, one);
    const size = (elf: ElfObject): number | undefined => elf.sections.find(({ name }) => name === ".parainstructions")?.size;
    expect([size(workshop.compile("a.o", one)), size(first.elf), size(last.elf)]).toEqual([28, 44, 44]);
    for (const kernel of [first, last]) {
      for (const source of [one, other]) expect([unproven(proofOf(source, kernel)), proofOf(source, kernel).complete]).toEqual([[], true]);
      expect(unproven(proofOf(one.replace(site(4), site(5)), kernel))).toContain("two");
      expect(unproven(proofOf(one.replace(site(3), site(5)), kernel))).toContain("one");
      expect(unproven(proofOf(other.replace(site(5), site(6)), kernel))).toContain("three");
    }
  });

  test("no flipped bit of it passes", async () => {
    for (const kernel of [await workshop.module(one, other), await workshop.module(other, one)])
      for (const source of [one, other]) {
        const plain = workshop.compile("a.o", source);
        const proof = (): ObjectProof => proveObject({ object: "a.o", plain, sections: undefined, against: kernel, layouts });
        const data = plain.sections.find(({ name }) => name === ".parainstructions")?.data ?? new Uint8Array();
        for (let at = 0; at < data.length; at++)
          for (let bit = 0; bit < 8 && at % 16 >= 8; bit++) {
            data[at] = (data[at] ?? 0) ^ (1 << bit);
            expect(unproven(proof()), `+ ${at}, bit ${bit}`).not.toEqual([]);
            data[at] = (data[at] ?? 0) ^ (1 << bit);
          }
        expect(unproven(proof())).toEqual([]);
      }
  });

  test("is refused if less of it is there", async () => {
    const short = one.replace(/(4, 2b - 1b)\\n\.short 1/, "4");
    expect(short).not.toBe(one);
    await expect(async () => proofOf(short, await workshop.module(one, other))).rejects.toMatchObject({ code: "PROOF_BAD_TABLE" });
  });
});

test("no flipped bit of code, data or relocation passes", () => {
  const original = workshop.compile("a.o", FIRST);
  const before = prove(original).functions;
  const functions = before.filter((f) => f.proven);
  const replaced = before.filter((f) => !f.proven);
  let flipped = 0;
  const sections = original.sections.filter((s) => (s.flags & SHF.ALLOC) !== 0 && s.name !== ".modinfo" && s.data.length > 0);
  for (const section of sections) {
    const relocations = original.sections.flatMap((s) => (s.target === section ? s.relocations : []));
    const idle = replaced.filter((f) => f.section === section.name);
    const unused = (at: number): boolean =>
      relocations.some(({ offset }) => at >= offset && at < offset + 4) || idle.some((f) => at >= f.offset && at < f.offset + 16);
    for (let at = 0; at < section.data.length; at++) {
      // The object's bytes under a relocation mean nothing; those of a replaced function are not run.
      if (unused(at)) continue;
      const byte = section.data[at] as number;
      for (let bit = 0; bit < 8; bit++) {
        section.data[at] = byte ^ (1 << bit);
        const proof = prove(original);
        expect(
          functions.every((f) => proof.proven(f.name)),
          `${section.name} + ${at}, bit ${bit}`,
        ).toBe(false);
        flipped++;
      }
      section.data[at] = byte;
    }
    for (const relocation of relocations)
      for (let bit = 0; bit < 32; bit++) {
        const { addend } = relocation;
        relocation.addend ^= 1 << bit;
        const proof = prove(original);
        expect(
          functions.every((f) => proof.proven(f.name)),
          `${section.name}, addend at ${relocation.offset}, bit ${bit}`,
        ).toBe(false);
        relocation.addend = addend;
        flipped++;
      }
  }
  expect(flipped).toBeGreaterThan(2000);
  expect(prove(original).complete).toBe(true);
});
