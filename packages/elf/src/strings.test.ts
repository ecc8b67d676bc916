import { expect, test } from "vitest";
import { StringBuilder, StringReader } from "./strings.ts";

test("every byte of a name is a character, read and written as the same", () => {
  const name = String.fromCharCode(...Array.from({ length: 255 }, (_, i) => i + 1));
  const builder = new StringBuilder();
  const offset = builder.add(name);
  expect(new StringReader(builder.bytes(), "x.o", 0, 1000).at(offset, 0)).toBe(name);
});
