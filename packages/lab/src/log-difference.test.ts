import { findEvents } from "@suture/kernel";
import { expect, test } from "vitest";
import { parseLine } from "./kernel-log.ts";
import { newEvents, newLines } from "./log-difference.ts";

const lines = (...texts: string[]) => texts.map((text, i) => parseLine(`[${i}.5] ${text}`));
const WITHOUT = lines(
  "EXT4-fs (vda): mounted filesystem 2f6c1a3b-0000",
  "WARNING: CPU: 0 PID: 71 at fs/pipe.c:100 pipe_read+0x1/0x20",
  "hrtimer: interrupt took 1234 ns",
);

test("lines of a new kind are told once, and what is said of the livepatch is not among them", () => {
  const patched = lines(
    "livepatch: enabling patch 'up'",
    "up: loading out-of-tree module taints kernel.",
    "EXT4-fs (vda): mounted filesystem ffff1a3b-0000",
    "hrtimer: interrupt took 99 ns",
    "EXT4-fs error (device vda): bad block 7",
    "EXT4-fs error (device vda): bad block 8",
  );
  expect(newLines(WITHOUT, patched, "up")).toEqual(["EXT4-fs error (device vda): bad block 7"]);
});

test("a report of the same place is not new, one of another is", () => {
  const patched = lines(
    "WARNING: CPU: 1 PID: 305 at fs/pipe.c:100 pipe_read+0x9/0x30",
    "WARNING: CPU: 1 PID: 305 at fs/pipe.c:170 pipe_read+0x9/0x30",
  );
  expect(newEvents(findEvents(WITHOUT), findEvents(patched)).map(({ headline }) => headline)).toEqual([patched[1]?.text]);
});
