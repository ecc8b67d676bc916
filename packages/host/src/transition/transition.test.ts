import { rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { machineOf, patchFiles, WELL } from "../../test/tree.ts";
import { fail } from "../errors.ts";
import type { Machine } from "../machine/machine.ts";
import { bringTo, isLeft, undoing } from "./transition.ts";

/** In effect, with an attribute of the kernel's own in place of `enabled`, which says 1 and takes nothing. */
function stubborn(): Machine {
  const machine = machineOf({ ...WELL, ...patchFiles("fix", true, false, []) });
  const enabled = join(machine.root, "sys/kernel/livepatch/fix/enabled");
  rmSync(enabled);
  symlinkSync("/sys/class/net/lo/ifindex", enabled);
  return machine;
}

test("one that the kernel does not take out of effect: what it says, and no tasks that have nothing to do with it", async () => {
  const refused = await bringTo(stubborn(), "fix", "unpatched", 100).catch((error: unknown) => error);
  expect(refused).toMatchObject({
    code: "HOST_LEFT_IN_EFFECT",
    message: expect.stringMatching(/^the kernel does not change whether fix is in effect: E[A-Z]+\. Now: fix is in effect/),
  });
  expect(isLeft(refused)).toBe(true);
});

test("an undoing that fails says what was to be undone, and has it as its cause", async () => {
  const first = fail("HOST_STUCK", "the first reason");
  await expect(undoing(first, () => bringTo(stubborn(), "fix", "unpatched", 100))).rejects.toMatchObject({
    code: "HOST_LEFT_IN_EFFECT",
    message: expect.stringContaining("undone after HOST_STUCK: the first reason"),
    cause: first,
  });
});

test("one that is gone, or is there already, needs nothing", async () => {
  await bringTo(machineOf(WELL), "fix", "unpatched", 100);
  await bringTo(stubborn(), "fix", "patched", 100);
});
