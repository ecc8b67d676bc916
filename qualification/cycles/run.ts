/**
 * A livepatch of /proc/meminfo is loaded, disabled and unloaded again and again by Suture in a guest, first idle, then under a load that keeps
 * every processor busy: none may be lost, and nothing may grow.
 *
 * Without KVM the guest's processors take turns in one thread of QEMU: a processor that is interrupted by another answers when its turn comes, which
 * takes milliseconds if it is busy. At the start and the end of each transition 6.12 changes the calls of cond_resched() in all of its code, each with
 * interrupts to all processors: minutes, with two busy ones that are emulated; a second with one.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { KernelContext } from "@suture/kbuild";
import { boot, type Guest, programFiles } from "@suture/lab";
import { buildLivepatch, readPatch } from "@suture/pipeline";
import { bundle } from "../guest/bundle.ts";
import { writePatch } from "../guest/source-edit.ts";
import { COMMON } from "../options.ts";
import { newestCloud, type Run, type RunContext } from "../run.ts";
import { type Batch, type Cycle, type PhaseName, summary, transitionTimes } from "./report.ts";

/** What the load reads all the time; the code does the same before and after, but for one word. */
const EDITS = [{ file: "fs/proc/meminfo.c", from: /"MemTotal: {7}"/, to: '"MemTotal (cycle):"' }];
/** Computing, pipes, fork, exec, files and /proc/meminfo itself: more tasks that want to run than there are processors. */
const LOAD = `setsid stress-ng --temp-path /dev/shm --oomable --cpu 1 --pipe 1 --fork 1 --hdd 1 --hdd-bytes 4m </dev/null >/run/stress 2>&1 &
setsid sh -c 'while [ ! -e /run/enough ]; do cat /proc/meminfo; done' </dev/null >/dev/null 2>&1 &`;
/** What they leave is freed before memory is looked at. */
const QUIET = `touch /run/enough; killall -q stress-ng; sleep 3; killall -q -KILL stress-ng; sleep 2; rm /run/enough; sync; echo 3 >/proc/sys/vm/drop_caches; sleep 1
grep -E '^(MemAvailable|Slab|SUnreclaim|VmallocUsed|Percpu)' /proc/meminfo; wc -l </proc/modules`;

/** An emulated guest under load, on a machine that is busy itself. */
const LONGEST_MS = 900_000;

export const cycles: Run = {
  name: "cycles",
  what: "a livepatch in and out again and again, idle and under load: none is lost, nothing grows",
  words: {
    kernel: COMMON.kernel,
    limit: { ...COMMON.limit, what: "so many cycles under load", is: "500", short: "4" },
    idle: { value: "N", what: "so many cycles without load", is: "100", short: "4" },
    cpus: { value: "N", what: "processors of the guest", is: "2", short: "1" },
    minutes: { value: "N", what: "ends in order after these, before all is done" },
  },
  needs: { "stress-ng": "stress-ng" },
  kernel: newestCloud,
  run: perform,
};

async function buildModule({ task, folder }: RunContext, kernel: KernelContext): Promise<Uint8Array> {
  const patches = [await readPatch(writePatch(folder, "cycle", kernel.target.tree, EDITS))];
  return (await buildLivepatch(task, kernel, { patches, name: "cycle", replace: false, unproven: false })).bytes;
}

/** Batches of this phase and number of processors that are kept, of all runs or of one. */
function batchesOf({ kept }: RunContext, name: PhaseName, cpus: number): Batch[] {
  return kept.all.flatMap(({ more }) => {
    const batch = more as unknown as Batch | undefined;
    return batch?.phase === name && batch.cpus === cpus ? [batch] : [];
  });
}

interface Ended {
  memory: { before: string; after: string };
  ms: number;
  /** By the program in the guest, besides its lines; empty if all went well. */
  said: string;
}

interface Phase {
  name: PhaseName;
  count: number;
  load: string;
  cpus: number;
  /** When the guest was booted: memory is compared within one run. */
  run: string;
  deadline: number;
}

async function phase(context: RunContext, guest: Guest, { name, count, load, cpus, run, deadline }: Phase): Promise<Ended> {
  const { task } = context;
  const quiet = async (): Promise<string> => (await guest.run(QUIET, { timeoutMs: LONGEST_MS })).output.trim();
  const drive = (n: number): string => `node /opt/driver.mjs /opt/cycle.ko ${n} >/run/cycles 2>/run/said; echo ended >>/run/cycles`;
  // The first one finds nothing in the kernel's caches and tables.
  await guest.run(drive(2), { timeoutMs: LONGEST_MS });
  const before = await quiet();
  if (load !== "") await guest.run(load);
  const from = guest.logPosition;
  const started = performance.now();
  await guest.run(`setsid sh -c '${drive(count)}' </dev/null >/dev/null 2>&1 &`);
  let known = { patching: 0, unpatching: 0, events: 0 };
  let seen = 0;
  for (let ended = false; !ended; ) {
    await new Promise((resolve) => setTimeout(resolve, 5000));
    task.check();
    if (performance.now() > deadline) await guest.run("touch /run/stop", { timeoutMs: LONGEST_MS });
    const { output } = await guest.run(`tail -n +${seen + 1} /run/cycles`, { timeoutMs: LONGEST_MS });
    const lines = output.split("\n").slice(0, -1);
    if (lines.length === 0) continue;
    seen += lines.length;
    ended = lines.at(-1) === "ended";
    const cycles = lines.filter((line) => line !== "ended").map((line) => JSON.parse(line) as Cycle);
    const all = transitionTimes(guest.kernelLog(from), "livepatch_cycle");
    const times = { patching: all.patching.slice(known.patching), unpatching: all.unpatching.slice(known.unpatching) };
    const reported = guest.events(from).map(({ headline }) => headline);
    const events = reported.slice(known.events);
    const bad = cycles.find((cycle) => !cycle.good);
    const batch: Batch = { phase: name, run, cpus, cycles, times, events };
    const why = events.join("; ") || (bad === undefined ? undefined : `cycle ${bad.cycle}: ${bad.why ?? "not as it should be"}`);
    const good = why === undefined;
    if (cycles.length > 0 || events.length > 0)
      context.add({
        name: `${name}, ${cpus} processors, ${run}, ${seen}`,
        good,
        outcome: `${cycles.length} cycles`,
        ...(bad?.code === undefined ? {} : { code: bad.code }),
        ...(good ? {} : { why }),
        ms: cycles.reduce((sum, { loadMs, disableMs, unloadMs }) => sum + loadMs + disableMs + unloadMs, 0),
        more: { ...batch },
      });
    known = { patching: all.patching.length, unpatching: all.unpatching.length, events: reported.length };
  }
  const ms = performance.now() - started;
  const said = (await guest.run("cat /run/said", { timeoutMs: LONGEST_MS })).output.trim();
  return { memory: { before, after: await quiet() }, ms, said };
}

async function perform(context: RunContext): Promise<void> {
  const { task, cache, options, release } = context;
  const cpus = options.number("cpus");
  const run = new Date().toISOString();
  const deadline = performance.now() + options.number("minutes") * 60_000;
  const kernel = await context.kernel();
  const files = [
    ...(await programFiles(task, ["node", "flock", "stress-ng", "insmod", "rmmod"])),
    { path: "/opt/driver.mjs", content: await bundle(join(import.meta.dirname, "driver.ts")) },
    { path: "/opt/cycle.ko", content: await buildModule(context, kernel) },
  ];
  const { image } = kernel.target;
  const guest = await boot(task, { image, cache, files, memory: 1536, cpus, graceMs: LONGEST_MS, deadlineMs: LONGEST_MS });
  try {
    console.log(
      `${release}, ${cpus} processors, ${guest.accelerator}; this machine's load: ${readFileSync("/proc/loadavg", "utf8").trim()}`,
    );
    for (const [name, load] of [
      ["idle", ""],
      ["loaded", LOAD],
    ] as const) {
      if (!context.isWanted(name)) continue;
      const asked = options.number(name === "idle" ? "idle" : "limit");
      const before = batchesOf(context, name, cpus).flatMap(({ cycles }) => cycles).length;
      const count = asked - before;
      const ended =
        count > 0 && performance.now() < deadline ? await phase(context, guest, { name, count, load, cpus, run, deadline }) : undefined;
      const batches = batchesOf(context, name, cpus);
      for (const { name: one, more } of context.kept.all) if (batches.includes(more as unknown as Batch)) context.names.add(one);
      const cycles = batches.flatMap((batch) => batch.cycles);
      const { said = "", ...measured } = ended ?? {};
      // Of all runs: one that was interrupted has shown its own to nobody.
      const events = [...batches.flatMap((batch) => batch.events), ...(said === "" ? [] : [said])];
      const times = {
        patching: batches.flatMap((batch) => batch.times.patching),
        unpatching: batches.flatMap((batch) => batch.times.unpatching),
      };
      const now = batches.filter((batch) => batch.run === run).flatMap((batch) => batch.cycles);
      const runs = new Set(batches.map((batch) => batch.run)).size;
      console.log(summary(name, { cycles, now, times, runs, events, ...measured }, asked));
      if (said !== "") context.add({ name: `${name}, the driver of ${run}`, good: false, outcome: "said", why: said, ms: 0 });
      context.left ||= cycles.length < asked;
    }
  } finally {
    await guest.stop();
  }
}
