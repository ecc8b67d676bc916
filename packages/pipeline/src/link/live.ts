/** What a livepatch does to the system besides replacing functions: words of variables that it changes, functions that it redirects by probes, and the states that say so. */
import { liveParts, redirectParts } from "@suture/authored";
import type { KernelContext } from "@suture/kbuild";
import { moduleName, type Part, type State } from "@suture/livepatch";
import type { Task } from "@suture/task";
import type { Compared } from "../run/patch-run.ts";

/** Of the form of the words and of the redirected functions, which later livepatches read (packages/livepatch/c/live.c, redirect.c). */
const VERSION = 1;

/**
 * The code that changes them; nothing where nothing is changed. It goes before all others: the livepatch core calls vmlinux's part of it first, which
 * tells the others when a transition begins and ends.
 * @param name of the livepatch, without `livepatch-`
 */
export function writingParts(task: Task, kernel: KernelContext, compared: readonly Compared[], name: string): Promise<Part[]> {
  const tables = compared.flatMap(({ owner, delta: { liveTable: table, live } }) =>
    table === undefined ? [] : [{ owner: owner.name, table, count: live.length }],
  );
  return tables.length === 0 ? Promise.resolve([]) : liveParts(task, kernel, tables, moduleName(`livepatch-${name}`));
}

/** The code that registers probes; nothing where no function is redirected so. It goes before all others, as that which changes words. */
export function probingParts(task: Task, kernel: KernelContext, compared: readonly Compared[], name: string): Promise<Part[]> {
  const tables = compared.flatMap(({ owner, delta: { redirectTable: table, redirects } }) =>
    table === undefined ? [] : [{ owner: owner.name, table, count: redirects.length }],
  );
  return tables.length === 0 ? Promise.resolve([]) : redirectParts(task, kernel, tables, moduleName(`livepatch-${name}`));
}

/** Of a state that several have the highest version. */
export function statesOf(states: readonly State[], compared: readonly Compared[]): State[] {
  const live = compared.flatMap(({ delta }) => [...delta.live, ...delta.redirects].map(({ state }) => ({ id: state, version: VERSION })));
  const highest = new Map<number, State>();
  for (const state of [...states, ...live]) if ((highest.get(state.id)?.version ?? -1) < state.version) highest.set(state.id, state);
  return [...highest.values()].sort((a, b) => a.id - b.id);
}
