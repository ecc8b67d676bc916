/**
 * A livepatch of /proc/meminfo is loaded, disabled and unloaded again and again by Suture in a guest, first idle, then under a load that keeps
 * every processor busy: none may be lost, and nothing may grow.
 * `npm run cycles -- [--count N] [--idle N] [--kernel R] [--cpus N] [--minutes N] [--out FILE]`. Cycles are kept as they come; what is done already is
 * not done again, and --minutes ends a run in order before it is all done.
 *
 * Without KVM the guest's processors take turns in one thread of QEMU: a processor that is interrupted by another answers when its turn comes, which
 * takes milliseconds if it is busy. At the start and the end of each transition 6.12 changes the calls of cond_resched() in all of its code, each with
 * interrupts to all processors: minutes, with two busy ones that are emulated; a second with one.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { KernelContext } from "@suture/kbuild";
import { boot, type Guest, programFiles } from "@suture/lab";
import { buildLivepatch, readPatch } from "@suture/pipeline";
import { cacheRoot, newestKernel, prepareTarget } from "@suture/sources";
import { Task } from "@suture/task";
import { Kept, type PhaseName } from "./cycles/kept.ts";
import { type Cycle, summary, transitionTimes } from "./cycles/report.ts";
import { bundle } from "./guest/bundle.ts";
import { writePatch } from "./guest/source-edit.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "500" },
    idle: { type: "string", default: "100" },
    kernel: { type: "string" },
    cpus: { type: "string", default: "2" },
    minutes: { type: "string" },
    out: { type: "string" },
  },
});
const cpus = Number(values.cpus);
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

const controller = new AbortController();
process.on("SIGINT", () => controller.abort());
const task = new Task(undefined, controller.signal);
const cache = cacheRoot(process.env);
const release = values.kernel ?? (await newestKernel(task, /^6\.1\.\d+-\d+-cloud-amd64$/));
const target = await prepareTarget(task, release, { cache });
const folder = join(cache, "cycles", release);
mkdirSync(folder, { recursive: true });

async function buildModule(): Promise<Uint8Array> {
  const kernel = await KernelContext.open(task, target, cache);
  try {
    const patches = [await readPatch(writePatch(folder, "cycle", target.tree, EDITS))];
    return (await buildLivepatch(task, kernel, { patches, name: "cycle", replace: false, unproven: false })).bytes;
  } finally {
    kernel.close();
  }
}

const kept = new Kept(values.out ?? join(folder, `cycles-${cpus}.jsonl`));
const run = new Date().toISOString();
const deadline = values.minutes === undefined ? Number.POSITIVE_INFINITY : performance.now() + Number(values.minutes) * 60_000;

interface Ended {
  memory: { before: string; after: string };
  ms: number;
  /** By the program in the guest, besides its lines; empty if all went well. */
  said: string;
}

async function phase(guest: Guest, name: PhaseName, count: number, load: string): Promise<Ended> {
  const quiet = async (): Promise<string> => (await guest.run(QUIET, { timeoutMs: LONGEST_MS })).output.trim();
  const drive = (n: number): string =>
    `node --no-opt --max-lazy /opt/driver.mjs /opt/cycle.ko ${n} >/run/cycles 2>/run/said; echo ended >>/run/cycles`;
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
    kept.add({ phase: name, run, cycles, times, events: reported.slice(known.events) });
    known = { patching: all.patching.length, unpatching: all.unpatching.length, events: reported.length };
    process.stderr.write(`${name}: ${kept.cycles(name).length} done; ${lines.at(-1)}\n`);
  }
  const ms = performance.now() - started;
  const said = (await guest.run("cat /run/said", { timeoutMs: LONGEST_MS })).output.trim();
  return { memory: { before, after: await quiet() }, ms, said };
}

const files = [
  ...(await programFiles(task, ["node", "flock", "stress-ng", "insmod", "rmmod"])),
  { path: "/opt/driver.mjs", content: await bundle(join(import.meta.dirname, "cycles/driver.ts")) },
  { path: "/opt/cycle.ko", content: await buildModule() },
];
const guest = await boot(task, { image: target.image, cache, files, memory: 1536, cpus, graceMs: LONGEST_MS, deadlineMs: LONGEST_MS });
try {
  console.log(`${release}, ${cpus} processors, ${guest.accelerator}; this machine's load: ${readFileSync("/proc/loadavg", "utf8").trim()}`);
  let good = true;
  for (const [name, load] of [
    ["idle", ""],
    ["loaded", LOAD],
  ] as const) {
    const asked = Number(name === "idle" ? values.idle : values.count);
    const left = asked - kept.cycles(name).length;
    const ended = left > 0 && performance.now() < deadline ? await phase(guest, name, left, load) : undefined;
    const cycles = kept.cycles(name);
    const { said = "", ...measured } = ended ?? {};
    const events = [...kept.events(name), ...(said === "" ? [] : [said])];
    const shown = { cycles, now: kept.cycles(name, run), times: kept.times(name), runs: kept.runs(name), events, ...measured };
    console.log(summary(name, shown, asked));
    good &&= cycles.length >= asked && cycles.every((cycle) => cycle.good) && events.length === 0;
  }
  process.exitCode = good ? 0 : 1;
} finally {
  await guest.stop();
}
