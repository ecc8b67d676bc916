import { expect, test } from "vitest";
import { IndexMaker } from "./index.ts";
import { packed, unpacked } from "./kept.ts";

test("an index is read as it was written, or not at all", () => {
  const maker = new IndexMaker();
  maker.addHeader("a.h", "#define made(x) a_##x\nint f(int a);\nMAKES(b);\n");
  maker.addSource("s.c", "int g(void) { return f(made(1)); }");
  const data = maker.done();
  const file = packed(data);
  expect(unpacked(file)).toEqual(data);
  expect(unpacked(file.subarray(0, -4))).toBeUndefined();
  expect(unpacked(Buffer.alloc(0))).toBeUndefined();
  for (let at = 0; at < file.length; at += 7) {
    const damaged = Buffer.from(file);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    expect(unpacked(damaged)).toBeUndefined();
  }
});
