import { expect, test } from "vitest";
import { masked } from "../shadow/text.ts";
import { givenTo, isZero } from "./writes.ts";

/** The compiler misses the member at the sign before it. */
function given(text: string): string | undefined {
  return givenTo(text, masked(text), text.search(/(?:->|\.)m\b/), "m");
}

test.each([
  ["x = p->m;", undefined],
  ["if (p->m == 1) return;", undefined],
  ["f(READ_ONCE(p->m));", undefined],
  ["x = y && p->m;", undefined],
  ["p->m = 0;", "0"],
  ["p->m = a ? b : c;", "a ? b : c"],
  ["p->sub.m = false;", "false"],
  ["WRITE_ONCE(p->m, true);", "true"],
  ["smp_store_release(&p->m, 2);", "2"],
  ["p->m++;", ""],
  ["--p->m;", ""],
  ["p->m |= 4;", ""],
  ["f(&p->m);", ""],
  ["struct s x = { .m = 1 };", ""],
])("what is given to a member: %s", (text, value) => expect(given(text)).toBe(value));

test("what is 0", () => {
  for (const zero of ["0", "0x0", "0UL", "false", "NULL", "(0)"]) expect(isZero(zero), zero).toBe(true);
  for (const other of ["", "1", "0 + x", "true", "nothing", "10", "0x10"]) expect(isZero(other), other).toBe(false);
});
