import { expect, it } from "vitest";
import { missedIn, parse } from "./inlined.ts";

const SAID = `fs/pipe.c:90:2: optimized:  Inlining pipe_lock_nested/4704 into pipe_lock/4705.
fs/pipe.c:1083:3: optimized:  Inlining pipe_lock/4705 into wait_for_partner/4781.
fs/pipe.c:1: optimized:  Inlined wait_for_partner/4781 into fifo_open/4790 which now has time 30.0 and size 20, net change of -5.
fs/pipe.c:1: optimized:  Inlining pipe_lock/4705 into wait_for_partner/4781.
`;

it("a function's calls are missed where it became part of one that is kept and not replaced", () => {
  const inlined = parse(SAID);
  const kept = (name: string): boolean => name !== "wait_for_partner";
  expect([...inlined]).toEqual([
    ["pipe_lock_nested", ["pipe_lock"]],
    ["pipe_lock", ["wait_for_partner"]],
    ["wait_for_partner", ["fifo_open"]],
  ]);
  expect(missedIn(inlined, "pipe_lock", new Set(["pipe_lock"]), kept)).toEqual(["fifo_open"]);
  expect(missedIn(inlined, "pipe_lock", new Set(["pipe_lock", "fifo_open"]), kept)).toEqual([]);
  expect(missedIn(inlined, "pipe_lock_nested", new Set(["pipe_lock_nested"]), kept)).toEqual(["fifo_open", "pipe_lock"]);
});
