import type { Manifest } from "@suture/protocol";
import { expect, test } from "vitest";
import type { LoadRecord } from "../store/records.ts";
import { leftBehind } from "./left-behind.ts";

const recordOf = (manifest: Partial<Manifest>): LoadRecord => ({ module: { manifest } }) as unknown as LoadRecord;
const redirect = { object: "lib/a.o", owner: "vmlinux", why: "differs", sizeBefore: 1, size: 2, state: 1 };

test("a livepatch whose code a probe has led calls into is left behind, and is said to be before it is unloaded", () => {
  const { kept, strings } = leftBehind(recordOf({ redirects: ["f", "g"].map((name) => ({ ...redirect, function: name })) }));
  expect(kept).toMatch(/^a probe has led calls of f, g into it, and nobody can say when the last has left/);
  expect(strings).toBeUndefined();
});

test("one of which nobody keeps anything is not", () => {
  expect(leftBehind(recordOf({}))).toEqual({ kept: undefined, strings: undefined, unknown: undefined });
});
