import { expect, test } from "vitest";
import { manifestSchema } from "../manifest.ts";
import { fixes } from "./parts.ts";

test("what a manifest says of fixes, documents of what is loaded and kept say as well", () => {
  expect(Object.keys(fixes.item.entries)).toEqual(Object.keys(manifestSchema.entries.fixes.item.entries));
});
