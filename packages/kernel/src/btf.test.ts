import type { ByteOrder } from "@suture/elf";
import { BtfBuilder } from "@suture/testkit/btf-builder";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codeOf } from "../test/errors.ts";
import { Btf } from "./btf.ts";

function sample(order: ByteOrder = "little"): { builder: BtfBuilder; int: number; char: number } {
  const builder = new BtfBuilder(order);
  const int = builder.int("int", 4);
  const char = builder.int("char", 1);
  return { builder, int, char };
}

const read = (builder: BtfBuilder): Btf => new Btf(builder.done(), "test");

describe("Btf", () => {
  it.each<ByteOrder>(["little", "big"])("gives sizes and members, through typedefs, qualifiers and arrays, %s-endian", (order) => {
    const { builder, int, char } = sample(order);
    const number = builder.typedef("number_t", builder.add(10, "", int));
    const table = builder.array(builder.array(char, 3), 5);
    const point = builder.struct("point", 32, [
      { name: "x", type: number, at: 0 },
      { name: "next", type: builder.pointer(number), at: 64 },
      { name: "table", type: table, at: 128 },
    ]);
    builder.typedef("point_t", point);
    const btf = read(builder);
    expect(btf.structSize("point")).toBe(32);
    expect(btf.structSize("point_t")).toBe(32);
    expect(btf.members("point_t")).toEqual([
      { name: "x", offset: 0, size: 4 },
      { name: "next", offset: 8, size: 8 },
      { name: "table", offset: 16, size: 15 },
    ]);
    expect(btf.structSize("number_t")).toBeUndefined();
    expect(btf.members("nowhere")).toBeUndefined();
  });

  it("puts the members of a nameless member in its place, and tells bit-fields", () => {
    const { builder, int } = sample();
    const flags = builder.struct("", 4, [
      { name: "low", type: int, at: 0, bits: 16 },
      { name: "high", type: int, at: 16, bits: 16 },
    ]);
    const either = builder.struct(
      "",
      4,
      [
        { name: "all", type: int, at: 0 },
        { name: "", type: flags, at: 0 },
      ],
      5,
    );
    builder.struct("entry", 12, [
      { name: "at", type: int, at: 0 },
      { name: "", type: either, at: 64 },
    ]);
    expect(read(builder).members("entry")).toEqual([
      { name: "at", offset: 0, size: 4 },
      { name: "all", offset: 8, size: 4 },
      { name: "low", offset: 8, size: 4, bits: { offset: 64, size: 16 } },
      { name: "high", offset: 10, size: 4, bits: { offset: 80, size: 16 } },
    ]);
  });

  it("finds by name the same whether it is one of a few that are asked for, or of many", () => {
    const { builder } = sample();
    const names = Array.from({ length: 40 }, (_, i) => `of_${i}`);
    for (const [i, name] of names.entries()) builder.struct(name, 4 * i, []);
    const one = names.map((name) => read(builder).structSize(name));
    const many = read(builder);
    expect(names.map((name) => many.structSize(name))).toEqual(one);
    expect(one).toEqual(names.map((_, i) => 4 * i));
    expect([...Array(20)].map(() => many.structSize("of_"))).toEqual(Array(20).fill(undefined));
    expect(read(builder).structSize("f_1")).toBeUndefined();
  });

  it("says nothing where several structures of one name differ", () => {
    const { builder, int } = sample();
    builder.struct("twice", 4, [{ name: "a", type: int, at: 0 }]);
    builder.struct("twice", 4, [{ name: "b", type: int, at: 0 }]);
    builder.struct("same", 8, []);
    builder.struct("same", 8, []);
    const btf = read(builder);
    expect(btf.structSize("twice")).toBe(4);
    expect(btf.members("twice")).toBeUndefined();
    expect(btf.structSize("same")).toBe(8);
    expect(btf.members("same")).toEqual([]);
    expect(btf.layouts("twice").map(({ members }) => members.map(({ name }) => name))).toEqual([["a"], ["b"]]);
    expect(btf.layouts("same")).toEqual([{ size: 8, members: [] }]);
    expect(btf.layouts("nowhere")).toEqual([]);
  });

  it("writes prototypes in the words of C", () => {
    const { builder, int, char } = sample();
    const file = builder.struct("file", 8, []);
    const constant = builder.add(10, "", char);
    builder.func("read", int, [
      { name: "file", type: builder.pointer(file) },
      { name: "text", type: builder.pointer(builder.pointer(constant)) },
      { name: "", type: 0 },
    ]);
    builder.func("stop", 0, []);
    const btf = read(builder);
    expect(btf.prototype("read")).toEqual({
      returns: "int",
      returnsShape: "u32",
      parameters: [
        { name: "file", type: "struct file *", shape: "struct file*" },
        { name: "text", type: "char const **", shape: "u8**" },
      ],
      variadic: true,
    });
    expect(btf.prototype("stop")).toEqual({ returns: "void", returnsShape: "void", parameters: [], variadic: false });
    expect(btf.prototype("file")).toBeUndefined();
  });

  it("tells the types of variables", () => {
    const { builder, int, char } = sample();
    const size = builder.typedef("size_t", int);
    builder.add(14, "limit", size, [1]);
    builder.add(14, "name", builder.array(char, 8), [1]);
    for (const type of [int, char]) builder.add(14, "state", type, [1]);
    const btf = read(builder);
    expect(btf.variable("limit")).toEqual({ type: "size_t", shape: "u32" });
    expect(btf.variable("name")).toEqual({ type: "char[8]", shape: "u8[8]" });
    expect([btf.variable("state"), btf.variable("int")]).toEqual([undefined, undefined]);
  });

  it("refuses types that lead to themselves", () => {
    const loops: ((builder: BtfBuilder) => void)[] = [
      (b) => b.typedef("x", 1),
      (b) => b.struct("x", 8, [{ name: "a", type: b.typedef("t", 1), at: 0 }]),
      (b) => b.struct("x", 8, [{ name: "", type: 1, at: 0 }]),
      (b) => b.struct("x", 8, [{ name: "a", type: 2, at: 0 }]) && b.array(2, 2),
      (b) => b.func("x", b.pointer(1), []),
    ];
    for (const loop of loops) {
      const builder = new BtfBuilder();
      loop(builder);
      const btf = read(builder);
      expect(codeOf(() => [btf.structSize("x"), btf.members("x"), btf.layouts("x"), btf.prototype("x")])).toBe("KERNEL_BAD_BTF");
    }
  });

  it("refuses nameless structures that multiply", () => {
    const builder = new BtfBuilder();
    let type = builder.int("int", 4);
    for (let i = 0; i < 30; i++)
      type = builder.struct("", 8, [
        { name: "", type, at: 0 },
        { name: "", type, at: 0 },
        { name: "a", type: 1, at: 0 },
      ]);
    builder.struct("many", 8, [{ name: "", type, at: 0 }]);
    expect(codeOf(() => read(builder).members("many"))).toBe("KERNEL_BAD_BTF");
    expect(codeOf(() => read(builder).layouts("many"))).toBe("KERNEL_BAD_BTF");
  });

  it("refuses damaged BTF with a typed error, or answers", () => {
    const { builder, int, char } = sample();
    builder.struct("entry", 12, [
      { name: "a", type: builder.array(char, 4), at: 0 },
      { name: "b", type: builder.typedef("t", int), at: 32 },
    ]);
    builder.func("run", int, [{ name: "a", type: builder.pointer(char) }]);
    const good = builder.done();
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 }),
        fc.nat(40),
        (changes, cut) => {
          const bytes = Uint8Array.from(good.subarray(0, good.length - (cut > 30 ? cut : 0)));
          for (const [where, value] of changes) bytes[where % bytes.length] = value;
          const code = codeOf(() => {
            const btf = new Btf(bytes, "test");
            for (const name of ["entry", "t", "run"]) [btf.structSize(name), btf.members(name), btf.layouts(name), btf.prototype(name)];
          });
          expect([undefined, "KERNEL_BAD_BTF"]).toContain(code);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
