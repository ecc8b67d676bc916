import { Task } from "@suture/task";
import { expect, test } from "vitest";
import { machineOf, patchFiles, WELL } from "../../test/tree.ts";
import { turn } from "../transition/leave.ts";
import { status } from "../use-cases/status.ts";
import { liveWordsOf, missingWords } from "./live-data.ts";
import { Snapshot } from "./snapshot.ts";

const PARAMETER = "/sys/module/fix/parameters/live_data";

test("what a module says of the words that it changes, and which of them should be in", async () => {
  const files = patchFiles("fix", true, false, ["probe,1"]);
  const machine = machineOf({ ...WELL, ...files, [PARAMETER]: "in vmlinux ops+0x8\nout vmlinux limit\nout dummy ops+0x10\n" });
  const words = [
    { object: "vmlinux", variable: "ops+0x8", in: true },
    { object: "vmlinux", variable: "limit", in: false },
    { object: "dummy", variable: "ops+0x10", in: false },
  ];
  expect(liveWordsOf(machine, "fix")).toEqual(words);
  // Those of a module that is not there are not.
  expect(missingWords(new Snapshot(machine), "fix")).toBe("limit of vmlinux");
  expect((await status(machine)).patches[0]?.live).toEqual(words);
});

test("of one that changes none nothing is said", async () => {
  const machine = machineOf({ ...WELL, ...patchFiles("fix", true, false, ["probe,1"]) });
  expect(liveWordsOf(machine, "fix")).toEqual([]);
  expect((await status(machine)).patches[0]).not.toHaveProperty("live");
});

test("one whose disable was turned back is told of, if a word of it is not as it was", async () => {
  const patience = { timeoutMs: 1000, onTimeout: "wait" } as const;
  const turned = (live: string) =>
    turn(new Task(), machineOf({ ...WELL, ...patchFiles("fix", true, false, ["probe,1"]), [PARAMETER]: live }), "fix", "1", patience);
  await expect(turned("in vmlinux limit\n")).resolves.toMatchObject({ outcome: "done" });
  await expect(turned("out vmlinux limit\n")).rejects.toMatchObject({
    code: "HOST_LIVE_DATA",
    message: expect.stringMatching(/^fix is in effect\. limit of vmlinux was changed by another meanwhile/),
  });
});
