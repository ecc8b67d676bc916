import { SutureError } from "@suture/errors";
import { Task } from "@suture/task";
import { expect, test } from "vitest";
import { refuseAll, refusedOr } from "./refusals.ts";

const refusal = (code: string, file: string): SutureError => new SutureError(code, "why", { file }, "mend");

test("one refusal is thrown as it is; of several the first tells the others", () => {
  const [a, b, c] = [refusal("DIFF_A", "a.o"), refusal("BUILD_B", "b.o"), refusal("DIFF_C", "c.o")] as const;
  expect(refuseAll([a])).toBe(a);
  expect(refuseAll([a, a])).toBe(a);
  const all = refuseAll([a, b, c]);
  expect(all).toMatchObject({ code: "DIFF_A", message: "why", where: { file: "a.o" }, mend: "mend", others: [b, c] });
  expect(JSON.parse(JSON.stringify(all)).others.map((one: { code: string }) => one.code)).toEqual(["BUILD_B", "DIFF_C"]);
  expect(JSON.parse(JSON.stringify(a))).not.toHaveProperty("others");
});

test("what is no matter of one object is not collected", () => {
  const task = new Task();
  const one = refusal("DIFF_A", "a.o");
  expect(refusedOr(task, one)).toBe(one);
  for (const other of [refusal("SCRATCH_FULL", "/tmp"), refusal("COMMAND_FAILED", ""), new TypeError("x")])
    expect(() => refusedOr(task, other)).toThrow(other);
});
