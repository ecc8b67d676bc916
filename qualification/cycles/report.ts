/** What the cycles showed: how long the transitions took, and whether anything was lost or grew. */
import type { KernelLine } from "@suture/protocol";

export type PhaseName = "idle" | "loaded";

/** What one look at the guest found. */
export interface Batch {
  phase: PhaseName;
  /** When the guest was booted: memory is compared within one run. */
  run: string;
  cpus: number;
  cycles: Cycle[];
  times: TransitionTimes;
  /** What the kernel reported meanwhile. */
  events: string[];
}

export interface Cycle {
  cycle: number;
  good: boolean;
  loadMs: number;
  disableMs: number;
  unloadMs: number;
  busy: number;
  rss: number;
  modules: number;
  MemAvailable: number;
  SUnreclaim: number;
  VmallocUsed: number;
  Percpu: number;
  code?: string;
  why?: string;
}

/** Milliseconds, by the kernel's own log. */
export interface TransitionTimes {
  patching: number[];
  unpatching: number[];
}

export function transitionTimes(log: readonly KernelLine[], name: string): TransitionTimes {
  const times: TransitionTimes = { patching: [], unpatching: [] };
  for (const kind of ["patching", "unpatching"] as const) {
    let from: number | undefined;
    for (const { time, text } of log) {
      if (text === `livepatch: '${name}': starting ${kind} transition`) from = time;
      if (text !== `livepatch: '${name}': ${kind} complete` || from === undefined || time === undefined) continue;
      times[kind].push((time - from) * 1000);
      from = undefined;
    }
  }
  return times;
}

interface Shown {
  cycles: readonly Cycle[];
  /** Those of this run. */
  now: readonly Cycle[];
  times: TransitionTimes;
  runs: number;
  /** Undefined if nothing was left to do in this run. */
  memory?: { before: string; after: string };
  ms?: number;
  events: readonly string[];
}

export function summary(name: string, { cycles, now, times, runs, memory, ms, events }: Shown, asked: number): string {
  const good = cycles.filter((cycle) => cycle.good);
  const busy = good.reduce((sum, cycle) => sum + cycle.busy, 0) / Math.max(1, good.length);
  const lost = cycles
    .filter((cycle) => !cycle.good)
    .map(({ cycle, code, why }) => `    ${cycle}: ${code ?? ""} ${why ?? "not as it should be"}`);
  const took = ms === undefined ? "" : `, ${now.length} of them now, in ${Math.round(ms / 1000)} s`;
  return [
    `\n${name}: ${good.length} of ${asked} cycles good in ${runs} runs${took}; processors busy ${(100 * busy).toFixed(1)} % of the time`,
    ...lost,
    ...events.map((event) => `    ${event}`),
    row("milliseconds", ["min", "median", "p95", "p99", "max"]),
    row("  patching transition", spread(times.patching)),
    row("  unpatching transition", spread(times.unpatching)),
    ...(["loadMs", "disableMs", "unloadMs"] as const).map((what) =>
      row(`  whole ${what.slice(0, -2)}`, spread(good.map((cycle) => cycle[what]))),
    ),
    ...(memory === undefined
      ? []
      : [
          row("this run's tenths, KiB", ["first", "second", "fifth", "ninth", "last"]),
          ...(["rss", "SUnreclaim", "VmallocUsed", "Percpu", "MemAvailable", "modules"] as const).map((what) =>
            row(
              `  ${what}`,
              [0, 1, 4, 8, 9].map((tenth) => String(median(tenthOf(now, tenth).map((cycle) => cycle[what])))),
            ),
          ),
          "  before and after, caches dropped, nothing else running:",
          ...sideBySide(memory.before, memory.after),
        ]),
  ].join("\n");
}

function row(title: string, cells: readonly string[]): string {
  return title.padEnd(26) + cells.map((cell) => cell.padStart(10)).join("");
}

function spread(values: readonly number[]): string[] {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN).toFixed(0);
  return [at(0), at(0.5), at(0.95), at(0.99), at(1)];
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function tenthOf<T>(values: readonly T[], tenth: number): T[] {
  return values.slice(Math.floor((tenth * values.length) / 10), Math.max(1, Math.floor(((tenth + 1) * values.length) / 10)));
}

function sideBySide(before: string, after: string): string[] {
  const then = before.split("\n");
  return after.split("\n").map((line, i) => {
    const [name = "", now = ""] = /^(\w+:)?\s*(\d+)/.exec(line)?.slice(1) ?? [];
    const was = /(\d+)( kB)?$/.exec(then[i] ?? "")?.[1] ?? "";
    return row(`    ${name ?? "modules:"}`, [was, now, String(Number(now) - Number(was))]);
  });
}
