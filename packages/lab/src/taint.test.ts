import { expect, test } from "vitest";
import { decodeTaint } from "./taint.ts";

test("letters and reasons of the set bits", () => {
  expect(decodeTaint(0)).toEqual({ value: 0, letters: "", reasons: [] });
  expect(decodeTaint((1 << 15) | (1 << 13) | (1 << 12)).letters).toBe("OEK");
  expect(decodeTaint(1 << 7).reasons).toEqual(["the kernel has oopsed"]);
  expect(decodeTaint(2 ** 30 + 1).letters).toBe("P#30");
});
