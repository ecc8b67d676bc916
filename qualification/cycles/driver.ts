/**
 * Runs in the guest: one livepatch in and out of the kernel again and again, by the code that the commands run. A line of JSON for each cycle.
 * `node driver.mjs MODULE.ko COUNT`
 */
import { existsSync, readFileSync, writeSync } from "node:fs";
import { setPriority } from "node:os";
import { SutureError } from "@suture/errors";
import { disable, load, status, THIS_MACHINE, unload } from "@suture/host";
import type { LeaveReport, LoadReport } from "@suture/protocol";
import { Task } from "@suture/task";

const [file = "", count = "1"] = process.argv.slice(2);
const patience = { timeoutMs: 120_000, onTimeout: "reverse" } as const;
const task = new Task();
setPriority(-5);

const say = (line: object): void => void writeSync(1, `${JSON.stringify(line)}\n`);
const patched = (): boolean => readFileSync("/proc/meminfo", "latin1").startsWith("MemTotal (cycle)");

/** What a leak would show in, in KiB but for the number of modules. */
function memory(): Record<string, number> {
  const text = readFileSync("/proc/meminfo", "latin1");
  const kib = (name: string): number => Number(new RegExp(`^${name}[^:]*:\\s*(\\d+)`, "m").exec(text)?.[1] ?? Number.NaN);
  const modules = readFileSync("/proc/modules", "latin1").split("\n").length - 1;
  const names = ["MemAvailable", "Slab", "SUnreclaim", "VmallocUsed", "KernelStack", "PageTables", "Percpu"];
  return { ...Object.fromEntries(names.map((name) => [name, kib(name)])), modules, rss: Math.round(process.memoryUsage.rss() / 1024) };
}

/** Busy and all ticks of all processors since boot. */
function ticks(): { busy: number; all: number } {
  const [, ...fields] = (readFileSync("/proc/stat", "latin1").split("\n")[0] ?? "").split(/\s+/).map(Number);
  const all = fields.reduce((sum, n) => sum + n, 0);
  return { busy: all - (fields[3] ?? 0) - (fields[4] ?? 0), all };
}

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const started = performance.now();
  return { value: await work(), ms: performance.now() - started };
}

for (let cycle = 0; cycle < Number(count) && !existsSync("/run/stop"); cycle++) {
  const from = ticks();
  try {
    const into = await timed(
      (): Promise<LoadReport[]> => load(task, THIS_MACHINE, [file], { unproven: false, stack: false, replace: false, ...patience }),
    );
    const on = patched();
    const [loaded] = into.value;
    if (loaded === undefined) throw new Error("nothing was loaded");
    const { name } = loaded;
    const out = await timed((): Promise<LeaveReport> => disable(task, THIS_MACHINE, name, patience));
    const off = !patched();
    const gone = await timed((): Promise<LeaveReport[]> => unload(task, THIS_MACHINE, [name], patience));
    const left = (await status(THIS_MACHINE)).patches.length;
    const to = ticks();
    say({
      cycle,
      good: on && off && gone.value.every(({ removed }) => removed) && left === 0 && loaded.transition.outcome === "done",
      outcomes: [loaded.transition.outcome, out.value.transition?.outcome],
      loadMs: Math.round(into.ms),
      disableMs: Math.round(out.ms),
      unloadMs: Math.round(gone.ms),
      busy: (to.busy - from.busy) / (to.all - from.all),
      ...memory(),
    });
  } catch (error) {
    if (!(error instanceof SutureError)) throw error;
    say({ cycle, good: false, code: error.code, why: error.message });
    break;
  }
}
