import { expect, test } from "vitest";
import { defineErrors } from "./index.ts";

const { fail } = defineErrors({ SOME_CODE: { cause: "It was so.", mend: "Do that." } });

test("an error that is kept holds nothing of the functions that made it, and others have their stacks as before", () => {
  expect(fail("SOME_CODE", "so").stack).not.toContain("errors.test");
  expect(new Error("so").stack).toContain("errors.test");
});
