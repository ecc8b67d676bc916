import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { starvedMs, turnsOf } from "./starved.ts";

test("of processes that share a processor each waits while the others run, and one that sleeps waits for none", async () => {
  const begin = (command: string) => spawn("taskset", ["-c", "0", "sh", "-c", command], { stdio: "ignore" });
  const busy = [begin("while :; do :; done"), begin("while :; do :; done")];
  const idle = begin("exec sleep 60");
  try {
    await sleep(500);
    const before = busy.map(({ pid }) => turnsOf(pid));
    const [asleep, started] = [turnsOf(idle.pid), performance.now()];
    await sleep(1500);
    for (const [i, { pid }] of busy.entries())
      expect(starvedMs(before[i] ?? new Map(), turnsOf(pid), performance.now() - started)).toBeGreaterThan(300);
    expect(starvedMs(asleep, turnsOf(idle.pid), performance.now() - started)).toBe(0);
  } finally {
    for (const child of [...busy, idle]) child.kill("SIGKILL");
  }
});

const thread = (ranMs: number, waitedMs: number) => ({ ranMs, waitedMs });

test("threads that wait one after the other wait the sum, a new one since it began, and one that ended no more", () => {
  const before = new Map([
    ["1", thread(10, 100)],
    ["2", thread(0, 50)],
    ["3", thread(900, 900)],
  ]);
  const after = new Map([
    ["1", thread(20, 400)],
    ["2", thread(5, 250)],
    ["4", thread(5, 30)],
  ]);
  expect(starvedMs(before, after, 1000)).toBe(530);
});

test("what waits and runs at once is not given more time than passed, less what it ran: what stands still is found", () => {
  expect(
    starvedMs(
      new Map(),
      new Map([
        ["1", thread(400, 900)],
        ["2", thread(0, 900)],
      ]),
      1000,
    ),
  ).toBe(600);
  expect(starvedMs(new Map(), new Map([["1", thread(1500, 900)]]), 1000)).toBe(0);
});

test("what there is not has waited for nothing", () => {
  expect(turnsOf(undefined).size).toBe(0);
  expect(turnsOf(2 ** 22 + 1).size).toBe(0);
});
