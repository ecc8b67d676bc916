import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { starvedMs } from "./starved.ts";

test("of processes that share a processor each waits while the others run, and one that sleeps waits for none", async () => {
  const begin = (command: string) => spawn("taskset", ["-c", "0", "sh", "-c", command], { stdio: "ignore" });
  const busy = [begin("while :; do :; done"), begin("while :; do :; done")];
  const idle = begin("exec sleep 60");
  try {
    await sleep(500);
    const before = busy.map(({ pid }) => starvedMs(pid));
    await sleep(1500);
    for (const [i, { pid }] of busy.entries()) expect(starvedMs(pid) - (before[i] ?? 0)).toBeGreaterThan(300);
    const asleep = starvedMs(idle.pid);
    await sleep(500);
    expect(starvedMs(idle.pid)).toBe(asleep);
  } finally {
    for (const child of [...busy, idle]) child.kill("SIGKILL");
  }
});

test("what there is not has waited for nothing", () => {
  expect(starvedMs(undefined)).toBe(0);
  expect(starvedMs(2 ** 22 + 1)).toBe(0);
});
