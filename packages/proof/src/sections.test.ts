import { expect, test } from "vitest";
import { isInitOnly } from "./sections.ts";

test("sections that are gone after boot are known by their names", () => {
  expect([".init.text", ".exit.text", ".head.text"].every(isInitOnly)).toBe(true);
  expect([".text", ".text.unlikely", ".initial", ".noinstr.text"].some(isInitOnly)).toBe(false);
});
