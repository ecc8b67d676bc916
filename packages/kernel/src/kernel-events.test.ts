import type { KernelLine } from "@suture/protocol";
import { expect, test } from "vitest";
import { findEvents, lastLines } from "./kernel-events.ts";

function log(text: string): KernelLine[] {
  return text
    .trim()
    .split("\n")
    .map((line, index) => ({ time: index, text: line.replace(/^\|/, "") }));
}

const WARNING = `
------------[ cut here ]------------
refcount_t: underflow; use-after-free.
WARNING: CPU: 0 PID: 7 at lib/refcount.c:28 refcount_warn_saturate+0x1/0x2
Modules linked in: lab(OE)
CPU: 0 PID: 7 Comm: cat Not tainted 6.1.0 #1
RIP: 0010:refcount_warn_saturate+0x1/0x2
Call Trace:
| <TASK>
| put+0x1/0x2
| </TASK>
---[ end trace 0000000000000000 ]---`;

const OOPS = `
BUG: kernel NULL pointer dereference, address: 0000000000000000
#PF: supervisor write access in kernel mode
Oops: 0002 [#1] PREEMPT SMP NOPTI
RIP: 0010:misbehave+0x1/0x2 [lab]
Call Trace:
| <TASK>
| show+0x1/0x2
| </TASK>
Modules linked in: lab(OE)
CR2: 0000000000000000
---[ end trace 0000000000000000 ]---
RIP: 0010:misbehave+0x1/0x2 [lab]`;

test("a quiet log has no events", () => {
  expect(findEvents(log("Linux version 6.1\nlab: loading out-of-tree module taints kernel.\nlivepatch: enabling patch 'lab'"))).toEqual([]);
});

test("a warning is taken with what led to it, to its end", () => {
  const events = findEvents(log(`before${WARNING}\nafter`));
  expect(events.map(({ kind, time }) => [kind, time])).toEqual([["warning", 3]]);
  expect(events[0]?.headline).toMatch(/^WARNING: /);
  expect(events[0]?.lines.length).toBe(11);
  expect(events[0]?.lines[1]?.text).toMatch(/^refcount_t/);
});

test("an oops is one event, with its registers after the trace", () => {
  const events = findEvents(log(`before${OOPS}\nnote: cat[7] exited with irqs disabled`));
  expect(events.map(({ kind }) => kind)).toEqual(["oops"]);
  expect(events[0]?.lines.length).toBe(12);
});

test("an oops that ends in a panic is a panic", () => {
  const events = findEvents(log(`${OOPS}\nKernel panic - not syncing: Fatal exception\nKernel Offset: disabled\nRebooting in 1 seconds..`));
  expect(events.map(({ kind, lines }) => [kind, lines.length])).toEqual([["panic", 15]]);
  expect(events[0]?.headline).toMatch(/^BUG: kernel NULL/);
});

test("two reports are two events", () => {
  const events = findEvents(log(WARNING + WARNING + OOPS));
  expect(events.map(({ kind }) => kind)).toEqual(["warning", "warning", "oops"]);
});

test.each([
  ["oops", "kernel BUG at fs/pipe.c:12!"],
  ["oops", "Oops: general protection fault, probably for non-canonical address 0xdead: 0000 [#1] PREEMPT SMP"],
  ["oops", "general protection fault, probably for non-canonical address 0xdead: 0000 [#1] PREEMPT SMP"],
  ["oops", "BUG: unable to handle page fault for address: ffffffffdeadbeef"],
  ["bug", "BUG: scheduling while atomic: cat/7/0x00000002"],
  ["bug", "BUG: Bad page state in process cat  pfn:1234"],
  ["bug", "UBSAN: array-index-out-of-bounds in fs/pipe.c:12:3"],
  ["stall", "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [cat:7]"],
  ["stall", "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:"],
  ["stall", "INFO: task cat:7 blocked for more than 120 seconds."],
  ["warning", "Out of memory: Killed process 7 (cat)"],
  ["panic", "Kernel panic - not syncing: as asked"],
])("%s: %s", (kind, line) => {
  expect(findEvents(log(`before\n${line}\nafter`)).map((event) => [event.kind, event.headline])).toEqual([[kind, line]]);
});

test("what is shown last is the oops, or else the end", () => {
  expect(lastLines(log(`before${OOPS}\n${"after\n".repeat(30)}`))[0]?.text).toMatch(/^BUG: kernel NULL/);
  const plain = lastLines(log(`${"line\n".repeat(100)}last`));
  expect(plain.at(-1)?.text).toBe("last");
  expect(plain.length).toBe(25);
});
