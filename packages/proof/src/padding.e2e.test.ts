/** With gcc and as: no-ops before aligned loops, in builds in which functions begin elsewhere; and no-ops that mean something. */
import { type ElfObject, SHF } from "@suture/elf";
import type { KernelModule } from "@suture/kernel";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { layouts, Workshop } from "../test/gcc.ts";
import type { FunctionProof } from "./model.ts";
import { proveObject } from "./proof.ts";

const workshop = new Workshop();
afterAll(() => workshop.dispose());

const NOP5 = ".byte 0x0f, 0x1f, 0x44, 0, 0";

/** Pieces of assembly that stand in a function; some of them say something of a no-op. */
const PIECES = {
  work: "addl $3, %eax",
  noOp: "nop",
  longNoOp: NOP5,
  shortNoOp: ".byte 0x66, 0x90",
  loop: ".p2align 5\n4: decl %edi\n jne 4b",
  lineLoop: ".p2align 6\n4: subl $1, %edi\n jne 4b",
  jumpIn: "cmpl %edi, %eax\n je 5f\n addl $7, %eax\n5:",
  jumpLabel: `1: ${NOP5}\n .pushsection __jump_table,"aw"\n .long 1b - ., 2f - .\n .quad key - .\n .popsection\n2:`,
  shortLabel: `1: .byte 0x66, 0x90\n .pushsection __jump_table,"aw"\n .long 1b - ., 2f - .\n .quad key - .\n .popsection\n2:`,
  oddLabel: `1: .byte 0x66, 0x66, 0x90\n .pushsection __jump_table,"aw"\n .long 1b - ., 2f - .\n .quad key - .\n .popsection\n2:`,
  staticCall: `1: ${NOP5}\n .pushsection .static_call_sites,"aw"\n .long 1b - ., key - .\n .popsection`,
  traced: `1: ${NOP5}\n .pushsection __mcount_loc,"a"\n .quad 1b\n .popsection`,
  alternative: `1: addl $5, %eax\n nop\n nop\n nop\n3:
    .pushsection .altinstructions,"a"\n .long 1b - ., 2f - .\n .long 7\n .byte 3b - 1b, 2\n .popsection
    .pushsection .altinstr_replacement,"ax"\n2: .byte 0x31, 0xc0\n .popsection`,
  unknown: `1: ${NOP5}\n .pushsection other_places,"a"\n .long 1b - .\n .popsection`,
} as const;
type Piece = keyof typeof PIECES;

/** Before it stand `before` bytes of another function, so that it begins elsewhere in a common section. */
function sourceOf(pieces: readonly Piece[], before: number): string {
  const body = pieces.map((piece) => PIECES[piece]).join("\n");
  const asm = (text: string): string => JSON.stringify(text).replaceAll("%", "%%");
  return `int key = 5;
    int first(int n) { asm volatile(".rept ${before}\\n nop\\n .endr"); return n; }
    int looping(int n) { asm volatile(${asm(body)} : "+D"(n) : : "eax"); return n + 1; }
    int last(int n) { return looping(n) * 3 + first(n); }
    asm(".pushsection .modinfo,\\"a\\"\\n.asciz \\"name=small\\"\\n.popsection");`;
}

const SECTIONS = ["-ffunction-sections", "-fdata-sections", "-fno-inline"];
const BEFORE = 20;
const plainOf = (source: string): ElfObject => workshop.compile("a.o", source, "-fno-inline");
const sectionsOf = (source: string): ElfObject => workshop.compile("b.o", source, ...SECTIONS);
const moduleOf = (source: string): Promise<KernelModule> => workshop.moduleOf([source], "-fno-inline");

function doubts(plain: ElfObject, sections: ElfObject, against: KernelModule): FunctionProof[] {
  return proveObject({ object: "a.o", plain, sections, against, layouts }).functions.filter(({ proven }) => !proven);
}

async function compare(pieces: readonly Piece[], others: readonly Piece[] = pieces, before = BEFORE): Promise<string[]> {
  const source = sourceOf(pieces, before);
  const found = doubts(plainOf(source), sectionsOf(sourceOf(others, before)), await moduleOf(source));
  for (const { name, doubts } of found) expect(`${name} ${doubts.at(-1)?.code}`).toMatch(/^looping split|^last split/);
  return found.map(({ name }) => name);
}

function sizes(elf: ElfObject): number | undefined {
  return elf.symbols.find(({ name }) => name === "looping")?.size;
}

describe("padding before an aligned loop", () => {
  test.each<{ pieces: Piece[] }>([
    { pieces: ["loop"] },
    { pieces: ["lineLoop"] },
    { pieces: ["work", "loop", "work", "lineLoop"] },
    { pieces: ["noOp", "loop"] },
    { pieces: ["jumpLabel", "loop"] },
    { pieces: ["jumpIn", "loop", "jumpLabel"] },
    { pieces: ["shortLabel", "loop"] },
    { pieces: ["alternative", "lineLoop"] },
    { pieces: ["staticCall", "noOp", "jumpLabel", "loop", "traced"] },
  ])("may be more or less: $pieces", async ({ pieces }) => {
    expect(await compare(pieces)).toEqual([]);
    // With the function's place the padding differs, as it is meant to.
    const places = Array.from({ length: 4 }, (_, i) => sourceOf(pieces, BEFORE + 16 * i));
    const differing = places.filter((source) => sizes(plainOf(source)) !== sizes(sectionsOf(source)));
    expect(differing.length).toBeGreaterThan(0);
    for (const [i] of places.entries()) expect(await compare(pieces, pieces, BEFORE + 16 * i)).toEqual([]);
  });
});

describe("a no-op that means something must not be gone, or come, beside padding", () => {
  test.each<Piece>(["noOp", "longNoOp", "jumpLabel", "shortLabel", "staticCall", "traced", "alternative", "unknown", "work"])(
    "%s",
    async (piece) => {
      for (let i = 0; i < 4; i++) {
        const before = BEFORE + 16 * i;
        expect(await compare([piece, "loop"], ["loop"], before)).toContain("looping");
        expect(await compare(["loop"], [piece, "loop"], before)).toContain("looping");
        expect(await compare(["work", piece, "lineLoop"], ["work", "lineLoop"], before)).toContain("looping");
        expect(await compare(["loop", piece, "work"], [piece, "loop", "work"], before)).toContain("looping");
      }
    },
  );

  test.each<Piece>(["jumpLabel", "staticCall", "traced", "unknown"])("%s is not a no-op of the source", async (piece) => {
    for (let i = 0; i < 4; i++) {
      const before = BEFORE + 16 * i;
      expect(await compare([piece, "loop"], ["longNoOp", "loop"], before)).toContain("looping");
      expect(await compare(["longNoOp", "loop"], [piece, "loop"], before)).toContain("looping");
    }
  });
});

describe("the no-op of a jump that a static key switches on", () => {
  test.each<{ one: Piece[]; other: Piece[] }>([
    { one: ["shortLabel", "work"], other: ["jumpLabel", "work"] },
    { one: ["shortLabel", "loop", "work"], other: ["jumpLabel", "loop", "work"] },
    { one: ["work", "loop", "jumpLabel", "noOp", "lineLoop"], other: ["work", "loop", "shortLabel", "noOp", "lineLoop"] },
  ])("may be as long as the jump has to be: $one, $other", async ({ one, other }) => {
    for (let i = 0; i < 4; i++) expect(await compare(one, other, BEFORE + 16 * i)).toEqual([]);
  });

  test.each<Piece>(["shortNoOp", "longNoOp", "staticCall", "traced", "unknown"])("is not %s", async (piece) => {
    for (const label of ["shortLabel", "jumpLabel"] as const) {
      expect(await compare([label, "work"], [piece, "work"])).toContain("looping");
      expect(await compare([piece, "work"], [label, "work"])).toContain("looping");
    }
  });

  test("is no other no-op of that length", async () => {
    expect(await compare(["shortLabel", "work"], ["oddLabel", "work"])).toContain("looping");
    expect(await compare(["jumpLabel", "work"], ["oddLabel", "work"])).toContain("looping");
  });
});

test("of any two functions of such pieces, those alone are the same that are made of the same", async () => {
  const piece = fc.constantFrom(...(Object.keys(PIECES) as Piece[]));
  const list = fc.array(piece, { minLength: 1, maxLength: 5 });
  const other = fc.oneof(
    list.map((others) => () => others),
    fc.nat().map((at) => (all: readonly Piece[]) => all.filter((_, i) => i !== at % all.length)),
    fc.tuple(fc.nat(), piece).map(
      ([at, one]) =>
        (all: readonly Piece[]) =>
          all.toSpliced(at % (all.length + 1), 0, one),
    ),
    fc.tuple(fc.nat(), piece).map(
      ([at, one]) =>
        (all: readonly Piece[]) =>
          all.with(at % all.length, one),
    ),
  );
  await fc.assert(
    fc.asyncProperty(list, other, fc.integer({ min: 0, max: 63 }), async (pieces, change, before) => {
      const others = change(pieces);
      const same = alike(pieces) === alike(others);
      // Alignment that fills in nothing leaves no trace.
      fc.pre(same || bare(pieces) !== bare(others));
      expect((await compare(pieces, others, before)).includes("looping")).toBe(!same);
    }),
    { numRuns: 60 },
  );
});

/** A jump's length says nothing. */
function alike(pieces: readonly Piece[]): string {
  return pieces.join().replaceAll("shortLabel", "jumpLabel");
}

/** The pieces without the alignment of loops. */
function bare(pieces: readonly Piece[]): string {
  return pieces.map((piece) => PIECES[piece].replace(/\.p2align \d\n/, "")).join("\n");
}

describe("flipped bits", () => {
  const pieces: Piece[] = ["work", "jumpIn", "jumpLabel", "loop", "noOp", "lineLoop", "alternative", "loop", "staticCall", "shortLabel"];
  const source = sourceOf(pieces, BEFORE);
  let kernel: KernelModule;
  beforeAll(async () => {
    kernel = await moduleOf(source);
  });

  test("of the code of the build with sections are all caught, those of padding too", () => {
    const plain = plainOf(source);
    const sections = sectionsOf(source);
    const code = sections.sections.find(({ name }) => name === ".text.looping");
    expect(doubts(plain, sections, kernel)).toEqual([]);
    expect(sizes(plain)).not.toBe(sizes(sections));
    const data = code?.data ?? new Uint8Array();
    expect(data.length).toBeGreaterThan(100);
    for (let at = 0; at < data.length; at++)
      for (let bit = 0; bit < 8; bit++) {
        data[at] = (data[at] ?? 0) ^ (1 << bit);
        expect(doubts(plain, sections, kernel).length, `+ ${at}, bit ${bit}`).toBeGreaterThan(0);
        data[at] = (data[at] ?? 0) ^ (1 << bit);
      }
    expect(doubts(plain, sections, kernel)).toEqual([]);
  });

  test("of where entries are about are all caught", () => {
    const plain = plainOf(source);
    const sections = sectionsOf(source);
    const keys = sections.sections
      .filter(({ target }) => /^(__jump_table|\.static_call_sites|\.altinstructions)$/.test(target?.name ?? ""))
      .flatMap(({ relocations }) => relocations)
      .filter(({ symbol }) => typeof symbol?.place !== "string" && (symbol?.place.flags ?? 0) & SHF.EXECINSTR)
      .filter(({ symbol }) => typeof symbol?.place !== "string" && symbol?.place.name === ".text.looping")
      .filter(({ offset }) => offset === 0);
    expect(keys.length).toBe(3);
    for (const relocation of keys)
      for (let bit = 0; bit < 32; bit++) {
        relocation.addend ^= 1 << bit;
        expect(doubts(plain, sections, kernel).length, `entry of ${relocation.offset}, bit ${bit}`).toBeGreaterThan(0);
        relocation.addend ^= 1 << bit;
      }
  });
});
