/**
 * The differ in process. The peer, kpatch's create-diff-object, is in no archive that we use: its times are those that were measured on this
 * kind of machine for the same objects, and stand here so that the ratio is printed. The limit is what hashing both files takes.
 */
import { createHash } from "node:crypto";
import { diff } from "@suture/diff";
import { readElf } from "@suture/elf";
import type { KernelContext } from "@suture/kbuild";
import { compileBoth, readPatch } from "@suture/pipeline";
import { Task } from "@suture/task";
import { EDITS, writePatch } from "./edits.ts";
import { median, row } from "./text.ts";

/** Milliseconds. */
const PEER: Readonly<Record<string, number>> = {
  "fs/proc/meminfo": 124,
  "net/ipv4/tcp_input": 133,
  "mm/page_alloc": 205,
  "kernel/sched/core": 545,
  "net/core/dev": 611,
  "fs/ext4/super": 1152,
};

const RUNS = 5;

export async function differ(kernel: KernelContext, folder: string): Promise<void> {
  console.log("\n(c) reading two objects, diffing and writing, in process; medians of 5 runs");
  console.log(row(["object", "size", "here", "ms per MB", "sha256 of both", "C tool", "ratio"]));
  for (const edit of EDITS) {
    const patch = writePatch(kernel.target.tree, folder, edit);
    if (patch === undefined) continue;
    const { original, patched, options } = await compileBoth(new Task(), kernel, `${edit.object}.o`, [await readPatch(patch)]);
    const times: number[] = [];
    for (let i = 0; i < RUNS; i++) {
      const started = performance.now();
      diff(readElf(original, edit.object), readElf(patched, edit.object), options);
      times.push(performance.now() - started);
    }
    const started = performance.now();
    for (const bytes of [original, patched]) createHash("sha256").update(bytes).digest();
    const limit = performance.now() - started;
    const here = median(times);
    const megabytes = original.length / 1e6;
    const peer = PEER[edit.object] ?? Number.NaN;
    console.log(
      row([
        edit.object,
        `${megabytes.toFixed(1)} MB`,
        `${here.toFixed(0)} ms`,
        (here / megabytes).toFixed(0),
        `${limit.toFixed(1)} ms`,
        `${peer} ms`,
        (here / peer).toFixed(2),
      ]),
    );
  }
}
