/** What a livepatch does to the system besides replacing functions: the words of the kernel's variables that it changes, and the states that say so. */
import { liveParts } from "@suture/authored";
import type { KernelContext } from "@suture/kbuild";
import { moduleName, type Part, type State } from "@suture/livepatch";
import type { Task } from "@suture/task";
import type { Compared } from "../run/patch-run.ts";

/** Of the form of the words, which later livepatches read (packages/livepatch/c/live.c). */
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

/** Of a state that several have the highest version. */
export function statesOf(states: readonly State[], compared: readonly Compared[]): State[] {
  const live = compared.flatMap(({ delta }) => delta.live.map(({ state }) => ({ id: state, version: VERSION })));
  const highest = new Map<number, State>();
  for (const state of [...states, ...live]) if ((highest.get(state.id)?.version ?? -1) < state.version) highest.set(state.id, state);
  return [...highest.values()].sort((a, b) => a.id - b.id);
}
