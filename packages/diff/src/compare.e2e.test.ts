/** Items that refer to each other in a circle, in objects that the assembler makes here. */
import { afterAll, expect, test } from "vitest";
import { names, Workshop } from "../test/workshop.ts";

const shop = new Workshop();
afterAll(() => shop.close());

/** Two tables without a name, each with a pointer to the other, and a function for each. The first function's is the one that differs. */
function circle(last: number, functions = ["one", "two"]): string {
  const code = functions.map(
    (name) => `.section .text.${name},"ax"
      .globl ${name}
      .type ${name},@function
      ${name}: call __fentry__
      .pushsection __mcount_loc,"a"
      .quad ${name}
      .popsection
      movq .rodata.${name},%rax
      ret
      .size ${name},.-${name}`,
  );
  return `${code.join("\n")}
    .section .rodata.one,"a"
    .quad .rodata.two
    .quad ${last}
    .section .rodata.two,"a"
    .quad .rodata.one
    .quad 3
  `;
}

test.each([[["one", "two"]], [["two", "one"]]])(
  "a table differs where one that it refers to does: functions in the order %s",
  (functions) => {
    const [before, after, same] = [circle(7, functions), circle(8, functions), circle(7, functions)].map((source) => shop.assemble(source));
    if (before === undefined || after === undefined || same === undefined) throw new Error("nothing was assembled");
    expect(names(shop.compare(before, after).functions)).toEqual(["one", "two"]);
    expect(shop.compare(before, same).outcome).toBe("same");
  },
);
