import { viewOf } from "@suture/elf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { alignmentFill, isNoOp, jumpsOrLoadsAddress } from "./code.ts";
import { listing } from "./listing.ts";
import { fieldSize, linkedValue, R_X86_64, relocatedAs, relocationKind } from "./relocations.ts";
import { rewrite } from "./rewrite.ts";
import { tables } from "./tables.ts";

const kernelAddress = fc.integer({ min: -0x80000000, max: -1 });
const addend = fc.integer({ min: -0x1000, max: 0x1000 });

test("what a linked field says is what was linked", () => {
  fc.assert(
    fc.property(kernelAddress, addend, kernelAddress, (symbol, more, place) => {
      const value = symbol + more;
      fc.pre(value < 0 && value >= -0x80000000);
      const view = viewOf(new Uint8Array(16), "little");
      for (const type of [R_X86_64.PC32, R_X86_64.PLT32, R_X86_64.PC64, R_X86_64[64], R_X86_64["32S"]]) {
        const pcRelative = relocationKind(type)?.pcRelative === true;
        const field = pcRelative ? value - place : value;
        if (fieldSize(type) === 8) view.setI64(4, field);
        else view.setU32(4, field);
        if (fieldSize(type) === 4 && (field | 0) !== field) continue;
        expect(linkedValue(view, 4, type, place)).toBe(value);
      }
    }),
  );
});

test("numbers that are no addresses are told apart", () => {
  const view = viewOf(Uint8Array.of(0, 0, 0, 0x80, 0, 0, 0, 0x80), "little");
  expect(linkedValue(view, 0, R_X86_64[32], 0)).toBe(0x80000000);
  expect(linkedValue(view, 0, R_X86_64["32S"], 0)).toBe(-0x80000000);
  expect(linkedValue(view, 0, R_X86_64[64], 0)).toBeUndefined();
  expect(linkedValue(view, 0, R_X86_64[8], 0)).toBeUndefined();
  expect(fieldSize(R_X86_64[16])).toBeUndefined();
});

test("the kernel's list of relocated fields holds absolute addresses, and distances to the per-cpu area", () => {
  expect(relocatedAs(R_X86_64["32S"], false)).toBe("abs32");
  expect(relocatedAs(R_X86_64["32S"], true)).toBeUndefined();
  expect(relocatedAs(R_X86_64[64], false)).toBe("abs64");
  expect(relocatedAs(R_X86_64.PC32, true)).toBe("inverse32");
  expect(relocatedAs(R_X86_64.PC32, false)).toBeUndefined();
  expect(relocatedAs(R_X86_64.PC64, true)).toBeUndefined();
});

test("calls, jumps and lea end with their distance, other operands may not", () => {
  const at = (...bytes: number[]): boolean => jumpsOrLoadsAddress(Uint8Array.from([...bytes, 0, 0, 0, 0]), bytes.length);
  expect(at(0xe8)).toBe(true);
  expect(at(0xe9)).toBe(true);
  expect(at(0x0f, 0x84)).toBe(true);
  expect(at(0x48, 0x8d, 0x3d)).toBe(true);
  expect(at(0x83, 0x3d)).toBe(false);
  expect(at(0x48, 0x8b, 0x05)).toBe(false);
});

test("sections are known by their names", () => {
  expect([".discard.reachable", ".modinfo", ".comment"].every((name) => tables.isBuildOnly(name))).toBe(true);
  expect(tables.all.some(({ section }) => tables.isBuildOnly(section))).toBe(false);
});

test("code as text has the names of what its fields refer to, and branches inside of it their targets", () => {
  const code = Uint8Array.from([
    ...[0xe8, 0, 0, 0, 0],
    ...[0x48, 0x8b, 0x05, 0, 0, 0, 0],
    ...[0x48, 0x8b, 0x04, 0xc5, 0, 0, 0, 0],
    ...[0x48, 0xc7, 0xc7, 0, 0, 0, 0],
    ...[0x74, 0x02],
    ...[0x65, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0],
    ...[0xc6, 0x05, 0, 0, 0, 0, 1],
    0xc3,
  ]);
  const names = new Map([
    [1, "printk"],
    [8, "$&variable"],
    [16, "table"],
    [23, '"text"'],
    [34, "current_task"],
    [40, "flag"],
  ]);
  expect(listing(code, names)).toEqual([
    { start: 0, text: "call printk", target: undefined },
    { start: 5, text: "mov $&variable(%rip),%rax", target: undefined },
    { start: 12, text: "mov table(,%rax,8),%rax", target: undefined },
    { start: 20, text: 'mov $"text",%rdi', target: undefined },
    { start: 27, text: "je", target: 0x1f },
    { start: 29, text: "mov %gs:current_task,%rax", target: undefined },
    { start: 38, text: "movb $1,flag(%rip)", target: undefined },
    { start: 45, text: "ret", target: undefined },
  ]);
  // A Buffer in the middle of others is not written to.
  const around = Buffer.concat([Buffer.alloc(8, 0xcc), code]);
  expect(listing(around.subarray(8), names)).toEqual(listing(code, names));
  expect(around.subarray(8).equals(code)).toBe(true);
  expect(listing(Uint8Array.of(0x06), new Map())).toBeUndefined();
});

test("what the assembler aligns with are no-ops, the longest first or last by its age; of an unknown one, what all fill alike", () => {
  const [last, first, unknown] = [24400, 24750, 24600].map(alignmentFill);
  const hex = (fill: typeof last, length: number): string | undefined => {
    const bytes = fill?.(length);
    return bytes === undefined ? undefined : Buffer.from(bytes).toString("hex");
  };
  for (const fill of [last, first])
    for (let length = 1; length < 64; length++) {
      const bytes = fill?.(length) ?? new Uint8Array(0);
      expect(bytes.length).toBe(length);
      expect(isNoOp(bytes)).toBe(true);
    }
  expect(hex(last, 14)).toBe("66662e0f1f8400000000000f1f00");
  expect(hex(first, 14)).toBe("0f1f0066662e0f1f840000000000");
  for (let length = 1; length < 64; length++)
    expect(hex(unknown, length)).toBe(hex(last, length) === hex(first, length) ? hex(last, length) : undefined);
  expect([hex(unknown, 14), hex(unknown, 22)]).toEqual([undefined, hex(last, 22)]);
  expect([last, first, unknown].map((fill) => fill?.(64))).toEqual([undefined, undefined, undefined]);
});

test("macros of constants that are filled in at boot are put into others' words, with the mask or without", () => {
  const { from, to } = rewrite.room.constant ?? { from: "", to: "" };
  const macro = (what: string): string =>
    `#define runtime_const_${what}_32(val, sym) ({\t\\\n\tasm("${what}" : "+r" (__ret));\t\\\n\t__ret; })\n`;
  const rest = "\n#define runtime_const_init(type, sym) 1\n";
  const before = "#define runtime_const_ptr(sym) 2\n";
  for (const text of [macro("shift_right"), `${macro("shift_right")}\n${macro("mask")}`]) {
    expect((before + text + rest).replace(from, to)).toBe(before + to + rest);
  }
  expect(
    ["runtime_ptr_a", "runtime_shift_a", "runtime_mask_a"].every((name) => tables.constants.some((start) => name.startsWith(start))),
  ).toBe(true);
});

test("branches on static keys are given five bytes, where a macro writes them and where none does", () => {
  const { from, to } = rewrite.room.key ?? { from: "", to: "" };
  const widened = (line: string): string => line.replace(from, to);
  expect(widened('"jmp %l[l_yes] # objtool NOPs this \\n\\t"')).toBe('"jmp.d32 %l[l_yes] # objtool NOPs this \\n\\t"');
  expect(widened('"1: jmp " label " # objtool NOPs this \\n\\t"')).toBe('"1: jmp.d32 " label " # objtool NOPs this \\n\\t"');
});
