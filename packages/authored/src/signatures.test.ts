import type { BtfPrototype } from "@suture/kernel";
import { sameShapeInKernel } from "@suture/types";
import { describe, expect, it } from "vitest";
import { comparePrototypes, compareVariables } from "./signatures.ts";

const int = { type: "int", shape: "s32" };
const file = { type: "struct file *", shape: "struct file*" };
const text = { type: "char const *", shape: "s8*" };
const prototype = (returns: { type: string; shape: string }, ...parameters: { type: string; shape: string }[]): BtfPrototype => ({
  returns: returns.type,
  returnsShape: returns.shape,
  parameters: parameters.map((parameter, i) => ({ name: `p${i}`, ...parameter })),
  variadic: false,
});
const held = { at: "fix.c:3", old: "f", own: "new_f" };
const KERNEL = prototype(int, file, text);

describe("what takes the place of a function", () => {
  it.each([
    ["one parameter more", prototype(int, file, text, int), "it takes 3 parameters, not 2"],
    ["another parameter", prototype(int, file, int), "parameter 2 (p1) is int, not char const *"],
    ["another type that is returned", prototype(file, file, text), "it returns struct file *, not int"],
    ["further arguments", { ...KERNEL, variadic: true }, "it takes further arguments"],
  ])("may not have %s", (_, written, why) => {
    expect(() => comparePrototypes(held, KERNEL, written)).toThrow(
      expect.objectContaining({
        code: "AUTHORED_SIGNATURE",
        message: expect.stringContaining(why),
        where: { file: "fix.c:3", symbol: "new_f" },
      }),
    );
  });

  it("may name the same types otherwise", () => {
    const written = prototype({ type: "errno_t", shape: "s32" }, file, { type: "u8 *", shape: "u8*" });
    expect(() => comparePrototypes(held, KERNEL, written)).not.toThrow();
  });

  it("a variable is declared as it is, or as an array of unknown length", () => {
    const names = { type: "char[16]", shape: "s8[16]" };
    expect(() => compareVariables(held, names, { type: "char[0]", shape: "s8[0]" })).not.toThrow();
    expect(() => compareVariables(held, names, { type: "char[8]", shape: "s8[8]" })).toThrow(
      /new_f is declared as char\[8\]; the kernel's f is char\[16\]/,
    );
  });
});

it.each([
  ["struct state", "enum32 state", true],
  ["u64[2][6]", "u64[12]", true],
  ["u64[2][6]", "u64[13]", false],
  ["struct file*", "struct inode*", false],
])("%s and %s: %s", (a, b, same) => {
  expect(sameShapeInKernel(a, b)).toBe(same);
});
