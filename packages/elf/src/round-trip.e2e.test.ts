import { afterAll, describe, expect, test } from "vitest";
import { C_SOURCE, S_SOURCE, Workshop } from "../test/gcc.ts";
import { unaligned } from "../test/unaligned.ts";
import { SHF, SHT, STB, STT } from "./format.ts";
import { newObject, newRelocations, newSymbol, Section } from "./model.ts";
import { readElf } from "./read.ts";
import { writeElf } from "./write.ts";

const shop = new Workshop();
afterAll(() => shop.close());

function expectSame(bytes: Uint8Array): void {
  expect(Buffer.compare(writeElf(readElf(bytes, "out.o")), bytes)).toBe(0);
}

const KERNEL = ["-mcmodel=kernel", "-fno-pic", "-mno-red-zone", "-mno-sse", "-ffreestanding"];

describe("what gcc writes comes back byte for byte", () => {
  const levels = ["-O0", "-O1", "-O2", "-O3", "-Os"];
  const debug = [["-g0"], ["-g3"], ["-g", "-gdwarf-4"], ["-g", "-gz"], ["-g", "-gsplit-dwarf"]];
  const shapes = [
    [],
    ["-ffunction-sections", "-fdata-sections"],
    ["-fPIC"],
    ["-fcommon", "-mcmodel=large"],
    ["-pg", "-mfentry", "-mrecord-mcount", "-fno-pic"],
    ["-fpatchable-function-entry=16,16", "-fcf-protection=full"],
    ["-fstack-protector-strong", "-fno-asynchronous-unwind-tables"],
    ["-flto", "-ffat-lto-objects"],
    ["-fsanitize=undefined", "-fno-reorder-functions"],
    ["-ftest-coverage", "-fprofile-arcs"],
  ];
  test.each(levels)("%s", (level) => {
    for (const shape of shapes) expectSame(shop.compile(C_SOURCE, "c", [level, ...shape]));
  });
  test.each(debug.map((options) => ({ options })))("$options", ({ options }) => {
    for (const shape of shapes) expectSame(shop.compile(C_SOURCE, "c", ["-O2", ...options, ...shape]));
  });
  test("as for a kernel", () => {
    const source = C_SOURCE.replace(/^.*double floating.*$/m, "");
    for (const more of [[], ["-ffunction-sections", "-fdata-sections"]]) expectSame(shop.compile(source, "c", [...KERNEL, "-O2", ...more]));
  });
  test("an empty source", () => expectSame(shop.compile("", "c", [])));
});

test("what gcc writes with 32 bits comes back byte for byte", () => {
  for (const options of [["-O2"], ["-O2", "-g", "-ffunction-sections"], ["-O2", "-g", "-gz"]]) {
    const bytes = shop.compile(C_SOURCE, "c", ["-mx32", ...options]);
    expect(readElf(bytes, "out.o").format).toEqual({ bits: 32, order: "little" });
    expectSame(bytes);
  }
});

/** Of each format, a processor whose objects have it and are RELA: ppc64, sparc, arm64, x32. */
const FORMATS = [
  { machine: 21, format: { bits: 64, order: "big" } },
  { machine: 2, format: { bits: 32, order: "big" } },
  { machine: 183, format: { bits: 64, order: "little" } },
  { machine: 62, format: { bits: 32, order: "little" } },
] as const;

test.each(FORMATS)("binutils read what is written: machine $machine, $format.bits bits, $format.order-endian", ({ machine, format }) => {
  const elf = newObject("made.o", { machine, format });
  const text = new Section({
    name: ".text.made",
    type: SHT.PROGBITS,
    flags: SHF.ALLOC | SHF.EXECINSTR,
    align: 16,
    data: new Uint8Array(48),
  });
  const local = newSymbol({ name: "inside", place: text, value: 4, size: 8, bind: STB.LOCAL, type: STT.FUNC });
  const outside = newSymbol({ name: "outside", place: "undef" });
  elf.symbols.push(local, outside);
  const relocations = [
    { offset: 8, type: 1, symbol: outside, addend: -4 },
    { offset: 16, type: 1, symbol: local, addend: 0x1234 },
  ];
  elf.sections.unshift(text, newRelocations(elf, text, relocations));
  shop.write("made.o", writeElf(elf));
  const said = shop.output("readelf", "--file-header", "--symbols", "--relocs", "--wide", "made.o");
  expect(said).toMatch(new RegExp(`Class: +ELF${format.bits}\n`));
  expect(said).toMatch(new RegExp(`Data: +2's complement, ${format.order} endian\n`));
  expect(said).toMatch(/: 0+4 +8 FUNC +LOCAL +DEFAULT +\d+ inside\n/);
  expect(said).toMatch(/: 0+ +0 NOTYPE +GLOBAL +DEFAULT +UND outside\n/);
  expect(said).toMatch(/^0+8 .* outside - 4$/m);
  expect(said).toMatch(/^0+10 .* inside \+ 1234$/m);
});

test("what the assembler writes comes back byte for byte", () => {
  for (const options of [[], ["-Wa,--gdwarf-5"], ["-Wa,-mrelax-relocations=no"], ["-Wa,--keep-locals"]])
    expectSame(shop.compile(S_SOURCE, "s", options));
});

test("what ld -r, strip and objcopy write comes back byte for byte", () => {
  shop.compile(S_SOURCE, "s", []);
  shop.run("cp", "out.o", "a.o");
  shop.compile(C_SOURCE, "c", ["-O2", "-g", "-ffunction-sections"]);
  shop.run("ld", "-r", "a.o", "out.o", "-o", "linked.o");
  expectSame(shop.read("linked.o"));
  shop.run("ld", "-r", "--build-id=sha1", "--gc-sections", "--entry=choose", "out.o", "-o", "collected.o");
  expectSame(shop.read("collected.o"));
  for (const options of [["--strip-debug"], ["--strip-unneeded"], ["--remove-section=.comment"]]) {
    shop.run("strip", ...options, "linked.o", "-o", "stripped.o");
    expectSame(shop.read("stripped.o"));
  }
  shop.run(
    "objcopy",
    "--add-section",
    "extra=in.c",
    "--rename-section",
    ".data=.renamed",
    "--globalize-symbol=counted",
    "out.o",
    "copied.o",
  );
  expectSame(shop.read("copied.o"));
});

test("what the C library is made of comes back byte for byte", () => {
  const objects = shop.libraryObjects();
  expect(objects.length).toBeGreaterThan(1000);
  const changed = objects.filter(({ name, bytes }) => Buffer.compare(writeElf(readElf(bytes, name)), bytes) !== 0);
  expect(changed.map(({ name }) => name)).toEqual([]);
});

describe("contents that are not aligned in the file as they are in memory", () => {
  const object = (): Uint8Array => shop.compile(C_SOURCE, "c", ["-O2", "-g", "-ffunction-sections", "-fdata-sections"]);

  test.each([0, 1, 3, 8])("come back byte for byte, %i bytes apart, and ld takes them", (gap) => {
    const moved = unaligned(object(), gap);
    const { sections } = readElf(moved, "moved.o");
    expect(sections.some(({ align, origin, size }) => size > 0 && align > 1 && (origin?.offset ?? 0) % align !== 0)).toBe(true);
    expectSame(moved);
    shop.write("moved.o", moved);
    shop.run("ld", "-r", "moved.o", "-o", "linked.o");
    expectSame(shop.read("linked.o"));
  });

  test("what must move in the file is the same object afterwards, and takes no more room than before", () => {
    const moved = unaligned(object(), 1);
    const elf = readElf(moved, "moved.o");
    const grown = elf.sections.find(({ name }) => name === ".comment");
    if (grown === undefined) throw new Error("no .comment");
    grown.data = Buffer.concat([grown.data, Buffer.from("more\0")]);
    const written = writeElf(elf);
    expect(written.length).toBeLessThan(moved.length + 64);
    const again = readElf(written, "again.o");
    expect(again.sections.map(({ name, align, size }) => [name, align, size])).toEqual(
      elf.sections.map(({ name, align, size }) => [name, align, size]),
    );
    expectSame(written);
  });

  test("a section that says it is aligned to 2^30 makes no file of that size, though it must move", () => {
    const elf = readElf(object(), "out.o");
    for (const section of elf.sections) if (section.name.startsWith(".text.")) section.align = 2 ** 30;
    const [first] = elf.sections;
    if (first === undefined) throw new Error("no section");
    first.data = new Uint8Array(100);
    expect(writeElf(elf).length).toBeLessThan(100_000);
    for (const section of elf.sections) section.origin = undefined;
    expect(writeElf(elf).length).toBeLessThan(200_000);
  });
});

test("more sections than 16 bits can number", () => {
  const source = `.altmacro
    .macro one n
    .section .s\\n,"a"
    .globl g\\n
    g\\n: .long g\\n - .
    .endm
    .set i, 0
    .rept 66000
    one %i
    .set i, i + 1
    .endr
`;
  const bytes = shop.compile(source, "s", []);
  expectSame(bytes);
  const elf = readElf(bytes, "out.o");
  const last = elf.symbols.find((s) => s.name === "g65999");
  expect(last?.place).toBe(elf.sections.find((s) => s.name === ".s65999"));
});
