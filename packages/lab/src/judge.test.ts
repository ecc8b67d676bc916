import type { ProbeResult } from "@suture/protocol";
import { describe, expect, test } from "vitest";
import { difference, judgeCheck, judgeKeep } from "./judge.ts";
import { limitsFor } from "./limits.ts";

const ran = (code: number, output = "", timedOut = false): ProbeResult => ({
  code,
  output,
  timedOut,
  truncated: false,
  ms: 1,
  guestMs: 1,
  log: [],
  events: [],
});
const command = "cat /proc/x";

describe("a check", () => {
  test("holds if it fails before and succeeds with the livepatch, whatever comes after", () => {
    for (const after of [ran(0), ran(1)])
      expect(judgeCheck({ command, before: ran(1), patched: ran(0), after }, undefined)).toMatchObject({ holds: true });
    expect(judgeCheck({ command, before: ran(137, "", true), patched: ran(0), after: ran(1) }, "fail")).toMatchObject({ holds: true });
    expect(judgeCheck({ command, before: ran(1), patched: ran(0), after: ran(0) }, "succeed")).toMatchObject({ holds: true });
  });

  test("does not hold otherwise, and says why and when", () => {
    expect(judgeCheck({ command, before: ran(0), patched: ran(0), after: ran(0) }, undefined)).toMatchObject({
      holds: false,
      at: "before",
      why: expect.stringContaining("succeeds already before"),
    });
    expect(judgeCheck({ command, before: ran(1), patched: ran(127), after: ran(1) }, undefined)).toMatchObject({
      holds: false,
      at: "patched",
      why: expect.stringContaining("exit code 127"),
    });
    expect(judgeCheck({ command, before: ran(1), patched: ran(0, "", true), after: ran(1) }, undefined)).toMatchObject({
      holds: false,
      why: expect.stringContaining("did not end"),
    });
    expect(judgeCheck({ command, before: ran(1), patched: ran(0), after: ran(0) }, "fail")).toMatchObject({ holds: false, at: "after" });
    expect(judgeCheck({ command, before: ran(1), patched: ran(0), after: ran(2) }, "succeed")).toMatchObject({ holds: false, at: "after" });
  });

  test("is not judged where the trial ended before", () => {
    expect(judgeCheck({ command }, undefined).holds).toBeUndefined();
    expect(judgeCheck({ command, before: ran(1) }, undefined).holds).toBeUndefined();
    expect(judgeCheck({ command, before: ran(1), patched: ran(0) }, "fail").holds).toBeUndefined();
    expect(judgeCheck({ command, before: ran(1), patched: ran(0) }, undefined).holds).toBe(true);
  });
});

describe("what is kept", () => {
  test("holds if output and exit code are the same in all three", () => {
    expect(judgeKeep({ command, before: ran(3, "a\n"), patched: ran(3, "a\n"), after: ran(3, "a\n") })).toMatchObject({ holds: true });
    expect(judgeKeep({ command, before: ran(0), patched: ran(0) }).holds).toBeUndefined();
  });

  test("does not hold otherwise, with the first line that differs", () => {
    expect(judgeKeep({ command, before: ran(0, "a\nb\nc\n"), patched: ran(0), after: ran(0) })).toEqual({
      holds: false,
      at: "patched",
      why: `keep '${command}' differs with the livepatch: line 1 was "a", it is missing`,
    });
    expect(judgeKeep({ command, before: ran(0, "a\n"), patched: ran(0, "a\n"), after: ran(0, "a\nb\n") })).toMatchObject({
      at: "after",
      why: expect.stringContaining('line 2 was missing, it is "b"'),
    });
    expect(judgeKeep({ command, before: ran(0, "a\n"), patched: ran(1, "a\n") })).toMatchObject({
      holds: false,
      why: expect.stringContaining("exit code 0, then exit code 1"),
    });
    const never = ran(137, "a\n", true);
    expect(judgeKeep({ command, before: never, patched: never, after: never })).toMatchObject({ holds: false });
  });
});

test("a long line is cut, an end is an end", () => {
  expect(difference(ran(0, `${"x".repeat(500)}\n`), ran(0, "\n"))?.length).toBeLessThan(200);
  expect(difference(ran(0, "a"), ran(0, "a"))).toBeUndefined();
  expect(difference(ran(0, "a"), ran(0, "a\n"))).toBeDefined();
  expect(difference(ran(0), ran(0, "", true))).toContain("did not end");
});

test("time limits follow from the size of the livepatch and the accelerator", () => {
  const small = limitsFor({ functions: 1, relocations: 2 }, "tcg");
  const large = limitsFor({ functions: 567, relocations: 1500 }, "tcg");
  expect(small.loadMs).toBeLessThan(120_000);
  // What it needs was measured to be 40 to 60 s.
  expect(large.loadMs).toBeGreaterThan(600_000);
  expect(large.transitionMs).toBeGreaterThan(small.transitionMs);
  const fast = limitsFor({ functions: 567, relocations: 1500 }, "kvm");
  expect(fast.loadMs).toBeLessThan(large.loadMs);
  // 910 s for 633 functions were measured where four programs shared two processors; 0.26 s for each where nothing else ran, most of it waits of the kernel.
  expect(large.unloadMs / 567).toBeGreaterThan(3 * 1440);
  expect(fast.unloadMs / 567).toBeGreaterThan(3 * 260);
});
