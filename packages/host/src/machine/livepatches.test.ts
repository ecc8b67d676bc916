import { expect, test } from "vitest";
import { machineOf, patchFiles, WELL } from "../../test/tree.ts";
import { status } from "../use-cases/status.ts";
import { Snapshot } from "./snapshot.ts";
import { stateText } from "./state.ts";
import { stragglers, stragglerText } from "./tasks.ts";

const STACK = {
  ...WELL,
  // The newest first.
  "/proc/modules": [
    "above 16384 1 - Live 0x0000000000000000 (OEK)",
    "gone 16384 0 - Live 0x0000000000000000 (OEK)",
    "under 16384 1 - Live 0x0000000000000000 (OEK)",
    "nf_nat 16384 2 nft_nat,xt_nat, Live 0x0000000000000000",
    "",
  ].join("\n"),
  ...patchFiles("above", false, true, ["shared,1"]),
  ...patchFiles("under", true, false, ["shared,1", "odd.name,2"]),
  "/proc/7/task/7/patch_state": "1\n",
  "/proc/7/task/7/comm": "sleeper\n",
  "/proc/7/task/7/statm": "100 20 3\n",
  "/proc/7/task/7/stack": "[<0>] deep+0x10/0x20\n[<0>] shared+0x1/0x2\n",
  "/proc/7/task/8/patch_state": "0\n",
  "/proc/9/task/9/patch_state": "1\n",
  "/proc/9/task/9/comm": "kworker/0:1\n",
  "/proc/9/task/9/statm": "0 0 0\n",
  "/proc/10/task/10/patch_state": "-1\n",
};

test("livepatches in stack order, with what they do", () => {
  const now = new Snapshot(machineOf(STACK));
  expect(now.patches).toEqual([
    { name: "under", enabled: true, transition: undefined },
    { name: "above", enabled: false, transition: "unpatched" },
  ]);
  expect(now.objects("under")).toEqual([
    {
      name: "vmlinux",
      patched: true,
      functions: [
        { name: "odd.name", sympos: 2 },
        { name: "shared", sympos: 1 },
      ],
    },
  ]);
  expect(now.objects("above")).toEqual([{ name: "vmlinux", patched: true, functions: [{ name: "shared", sympos: 1 }] }]);
  expect([now.idle, now.moving?.name, now.patch("gone")]).toEqual([["gone"], "above", undefined]);
});

test("where the kernel says the order of the stack, it is not guessed", async () => {
  const order = { "/sys/kernel/livepatch/above/stack_order": "1\n", "/sys/kernel/livepatch/under/stack_order": "2\n" };
  expect(new Snapshot(machineOf({ ...STACK, ...order })).patches.map(({ name }) => name)).toEqual(["above", "under"]);
});

test("modules with their uses", async () => {
  const modules = new Snapshot(machineOf(STACK)).modules;
  expect(modules[0]).toEqual({ name: "above", uses: 1, usedBy: [], taint: "OEK" });
  expect(modules[3]).toEqual({ name: "nf_nat", uses: 2, usedBy: ["nft_nat", "xt_nat"], taint: "" });
});

test("who holds up a transition", async () => {
  const found = stragglers(machineOf(STACK), "unpatched");
  expect(found.map(stragglerText)).toEqual(["sleeper (7): in deep+0x10/0x20 < shared+0x1/0x2", "kworker/0:1 (9, kernel thread): it runs"]);
  expect(stragglers(machineOf(STACK), "patched").map(({ tid }) => tid)).toEqual([8]);
});

test("status: who owns a function, what is idle, what is under way", async () => {
  const found = await status(machineOf(STACK));
  expect(found.idle).toEqual(["gone"]);
  // The one on top is on its way out.
  expect(found.patches.map((p) => p.objects[0]?.functions.find((f) => f.name === "shared")?.owner)).toEqual(["under", "under"]);
  expect(found.patches[1]?.transition?.stragglers.map(({ tid }) => tid)).toEqual([7, 9]);
});

test("the state in words", async () => {
  expect(stateText(machineOf(STACK), "under")).toBe(
    "Now: under is in effect; others in effect: above; above is on its way to being unpatched.",
  );
  expect(stateText(machineOf(STACK), "gone")).toContain("gone has no effect; its module is still in the kernel");
  expect(stateText(machineOf(WELL), "fix")).toBe("Now: fix is not in the kernel; no other livepatch is.");
});

test("a machine of which nothing can be read", async () => {
  const found = await status(machineOf({}));
  expect(found).toMatchObject({ patches: [], idle: [], fixes: [], installed: [], kernel: { buildId: undefined } });
});
