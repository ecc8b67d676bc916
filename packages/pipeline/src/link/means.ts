/** What a livepatch does besides replacing functions: words of variables that it changes, functions that it redirects by probes, members beside objects, and the states that say so. */
import { type Means, meansParts } from "@suture/authored";
import type { KernelContext } from "@suture/kbuild";
import { moduleName, type Part, type State } from "@suture/livepatch";
import type { Task } from "@suture/task";
import type { Compared } from "../run/patch-run.ts";

/** Of the form of the words and of the redirected functions, which later livepatches read (packages/livepatch/c/live.c, redirect.c). */
const VERSION = 1;

/** It empties what a livepatch's code for a module refers to when that module goes: since Linux 6.3. */
const EMPTIES = "clear_relocate_add";

/**
 * The code that does it, before all others; nothing where nothing is done.
 * @param members numbers of their states. @param others parts that are no objects of the kernel. @param name of the livepatch, without `livepatch-`
 */
export function partsOfMeans(
  task: Task,
  kernel: KernelContext,
  { compared, members = [], others = [] }: { compared: readonly Compared[]; members?: readonly number[]; others?: readonly Part[] },
  name: string,
): Promise<Part[]> {
  const tables = (of: (part: Compared) => { table: string | undefined; count: number }): Means["live"] =>
    compared.flatMap((part) => {
      const { table, count } = of(part);
      return table === undefined ? [] : [{ owner: part.owner.name, table, count }];
    });
  const means: Means = {
    live: tables(({ delta }) => ({ table: delta.liveTable, count: delta.live.length })),
    redirects: tables(({ delta }) => ({ table: delta.redirectTable, count: delta.redirects.length })),
    members,
    again: modulesToCome(kernel, [...compared, ...others]),
  };
  return meansParts(task, kernel, means, moduleName(`livepatch-${name}`));
}

/** Those for which the fix has callbacks of its own, which the kernel knows one of a kind of, come once. */
function modulesToCome(kernel: KernelContext, parts: readonly Part[]): string[] {
  if (kernel.symbolSources.kernel.symbols.named(EMPTIES).length > 0) return [];
  const modules = parts.flatMap(({ owner, delta }) => (owner.name === "vmlinux" || delta.object === undefined ? [] : owner.name));
  const own = new Set(parts.flatMap(({ owner, delta }) => (delta.callbacks.length === 0 ? [] : owner.name)));
  return [...new Set(modules)].filter((name) => !own.has(name)).sort();
}

/** Of a state that several have the highest version. */
export function statesOf(states: readonly State[], compared: readonly Compared[]): State[] {
  const live = compared.flatMap(({ delta }) => [...delta.live, ...delta.redirects].map(({ state }) => ({ id: state, version: VERSION })));
  const highest = new Map<number, State>();
  for (const state of [...states, ...live]) if ((highest.get(state.id)?.version ?? -1) < state.version) highest.set(state.id, state);
  return [...highest.values()].sort((a, b) => a.id - b.id);
}
