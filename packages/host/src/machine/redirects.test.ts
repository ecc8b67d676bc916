import { Task } from "@suture/task";
import { expect, test } from "vitest";
import { machineOf, patchFiles, WELL } from "../../test/tree.ts";
import { turn } from "../transition/leave.ts";
import { status } from "../use-cases/status.ts";
import { missingRedirects, redirectsOf } from "./redirects.ts";
import { Snapshot } from "./snapshot.ts";

const PARAMETER = "/sys/module/fix/parameters/redirects";

test("what a module says of the functions that it redirects, and which of them should be", async () => {
  const said = "in vmlinux vsnprintf 3\nout vmlinux kstrtoull 0\nout dummy helper 0\n";
  const machine = machineOf({ ...WELL, ...patchFiles("fix", true, false, ["probe,1"]), [PARAMETER]: said });
  const redirects = [
    { object: "vmlinux", function: "vsnprintf", in: true, missed: 3 },
    { object: "vmlinux", function: "kstrtoull", in: false, missed: 0 },
    { object: "dummy", function: "helper", in: false, missed: 0 },
  ];
  expect(redirectsOf(machine, "fix")).toEqual(redirects);
  // Those of a module that is not there are not.
  expect(missingRedirects(new Snapshot(machine), "fix")).toBe("kstrtoull of vmlinux");
  expect((await status(machine)).patches[0]?.redirects).toEqual(redirects);
});

test("of one that redirects none nothing is said", async () => {
  const machine = machineOf({ ...WELL, ...patchFiles("fix", true, false, ["probe,1"]) });
  expect(redirectsOf(machine, "fix")).toEqual([]);
  expect((await status(machine)).patches[0]).not.toHaveProperty("redirects");
});

test("one whose disable was turned back is told of, if a probe is not armed again", async () => {
  const patience = { timeoutMs: 1000, onTimeout: "wait" } as const;
  const turned = (redirects: string) =>
    turn(new Task(), machineOf({ ...WELL, ...patchFiles("fix", true, false, ["probe,1"]), [PARAMETER]: redirects }), "fix", "1", patience);
  await expect(turned("in vmlinux vsnprintf 0\n")).resolves.toMatchObject({ outcome: "done" });
  await expect(turned("out vmlinux vsnprintf 0\n")).rejects.toMatchObject({
    code: "HOST_REDIRECT",
    message: expect.stringMatching(/^fix is in effect, but the probe of vsnprintf of vmlinux is not armed/),
  });
});
