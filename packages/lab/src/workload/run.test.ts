import type { ProbeResult } from "@suture/protocol";
import { expect, test } from "vitest";
import { judgePart } from "./run.ts";

const said = (output: string, code = 0): ProbeResult => ({
  code: 0,
  output: `${output}\nended ${code}\n`,
  truncated: false,
  timedOut: false,
  ms: 1,
  guestMs: 1,
  log: [],
  events: [],
});

test.each([
  ["the same", [said("a"), said("a"), said("a")], true, undefined],
  ["other with the livepatch", [said("a"), said("b"), said("a")], false, /with the livepatch: line 1 was "a", it is "b"/],
  ["left changed", [said("a"), said("a"), said("b")], false, /after the livepatch is out/],
  ["changed, and left so", [said("a"), said("b"), said("b")], false, /with the livepatch/],
  ["always other", [said("a"), said("b"), said("c")], undefined, /by itself/],
  ["failing anyway", [said("no", 1), said("yes"), said("no", 1)], undefined, /fails without the livepatch, too: no; ended 1/],
  ["ended before", [said("a"), undefined, undefined], undefined, /ended before/],
  ["seen once", [said("a"), said("b"), undefined], false, /with the livepatch/],
] as const)("%s", (_, [before, patched, after], holds, why) => {
  const judged = judgePart(before, patched, after);
  expect(judged.holds).toBe(holds);
  if (why === undefined) expect(judged.why).toBeUndefined();
  else expect(judged.why).toMatch(why);
});
