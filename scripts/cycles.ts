/**
 * A livepatch of /proc/meminfo is loaded, disabled and unloaded again and again by Suture in a guest with two processors, first idle, then
 * under a load that keeps both busy: none may be lost, and nothing may grow.
 * `npm run cycles -- [--count N] [--idle N] [--kernel R] [--out FILE]`
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildLivepatch, cacheRoot, KernelContext, newestKernel, prepareTarget, readPatch } from "@suture/build";
import { boot, type Guest, programFiles } from "@suture/lab";
import { Task } from "@suture/task";
import { type Cycle, summary, type TransitionTimes, transitionTimes } from "./cycles/report.ts";
import { bundle } from "./guest/bundle.ts";
import { writePatch } from "./guest/source-edit.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "500" },
    idle: { type: "string", default: "100" },
    kernel: { type: "string" },
    out: { type: "string" },
  },
});
/** What the load reads all the time; the code does the same before and after, but for one word. */
const EDITS = [{ file: "fs/proc/meminfo.c", from: /"MemTotal: {7}"/, to: '"MemTotal (cycle):"' }];
/** Computing, pipes, fork, exec, files and /proc/meminfo itself: more tasks that want to run than there are processors. */
const LOAD = `setsid stress-ng --temp-path /dev/shm --oomable --cpu 1 --pipe 1 --fork 1 --hdd 1 --hdd-bytes 4m </dev/null >/run/stress 2>&1 &
setsid sh -c 'while [ ! -e /run/enough ]; do cat /proc/meminfo; done' </dev/null >/dev/null 2>&1 &`;
/** What they leave is freed before memory is looked at. */
const QUIET = `touch /run/enough; killall -q stress-ng; sleep 3; killall -q -KILL stress-ng; sleep 2; rm /run/enough; sync; echo 3 >/proc/sys/vm/drop_caches; sleep 1
grep -E '^(MemAvailable|Slab|SUnreclaim|VmallocUsed|Percpu)' /proc/meminfo; wc -l </proc/modules`;

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

interface Phase {
  cycles: Cycle[];
  times: TransitionTimes;
  memory: { before: string; after: string };
  ms: number;
  events: string[];
}

async function phase(guest: Guest, count: number, load: string): Promise<Phase> {
  const quiet = async (): Promise<string> => (await guest.run(QUIET, { timeoutMs: 120_000 })).output.trim();
  const drive = (n: number): string =>
    `node --no-opt --max-lazy /opt/driver.mjs /opt/cycle.ko ${n} >/run/cycles 2>/run/said; echo ended >>/run/cycles`;
  // The first one finds nothing in the kernel's caches and tables.
  await guest.run(drive(3), { timeoutMs: 600_000 });
  const before = await quiet();
  if (load !== "") await guest.run(load);
  const from = guest.logPosition;
  const started = performance.now();
  await guest.run(`setsid sh -c '${drive(count)}' </dev/null >/dev/null 2>&1 &`);
  let lines: string[] = [];
  let shown = 0;
  while (lines.at(-1) !== "ended") {
    await new Promise((resolve) => setTimeout(resolve, 5000));
    task.check();
    lines = [
      ...lines,
      ...(await guest.run(`tail -n +${lines.length + 1} /run/cycles`, { timeoutMs: 120_000 })).output.split("\n").slice(0, -1),
    ];
    if (lines.length > shown) process.stderr.write(`${lines.length} of ${count}: ${lines.at(-1)}\n`);
    shown = lines.length;
  }
  const ms = performance.now() - started;
  const said = (await guest.run("cat /run/said")).output.trim();
  const cycles = lines.slice(0, -1).map((line) => JSON.parse(line) as Cycle);
  const times = transitionTimes(guest.kernelLog(from), "livepatch_cycle");
  const events = [...guest.events(from).map(({ headline }) => headline), ...(said === "" ? [] : [said])];
  return { cycles, times, memory: { before, after: await quiet() }, ms, events };
}

const files = [
  ...(await programFiles(task, ["node", "flock", "stress-ng", "insmod", "rmmod"])),
  { path: "/opt/driver.mjs", content: await bundle(join(import.meta.dirname, "cycles/driver.ts")) },
  { path: "/opt/cycle.ko", content: await buildModule() },
];
const guest = await boot(task, { image: target.image, cache, files, memory: 1536, cpus: 2, graceMs: 120_000 });
try {
  const idle = await phase(guest, Number(values.idle), "");
  const loaded = await phase(guest, Number(values.count), LOAD);
  const report = { release, accelerator: guest.accelerator, phases: { idle, loaded } };
  writeFileSync(values.out ?? join(folder, "cycles.json"), `${JSON.stringify(report, undefined, 1)}\n`);
  console.log(`${release}, 2 processors, ${guest.accelerator}; this machine's load: ${readFileSync("/proc/loadavg", "utf8").trim()}`);
  console.log(summary("idle", idle, Number(values.idle)));
  console.log(summary("loaded", loaded, Number(values.count)));
  const good = [idle, loaded].every(({ cycles, events }) => events.length === 0 && cycles.every((cycle) => cycle.good));
  const all = idle.cycles.length === Number(values.idle) && loaded.cycles.length === Number(values.count);
  process.exitCode = good && all ? 0 : 1;
} finally {
  await guest.stop();
}
