/**
 * Functions that kernel threads are begun with: such a thread is in its function for as long as it lives, mostly in a loop, and the kernel waits for
 * every task to leave what is replaced. While one is there, neither the way in nor the way out of a livepatch that replaces the function comes to its end.
 */
import { bytesOf, type Item } from "./items.ts";
import type { Plan } from "./plan.ts";

export interface ThreadFunction {
  /** The kernel's, which is replaced. */
  function: string;
  /** The function of the kernel that begins such threads. */
  by: string;
  /** What it calls for that. */
  call: string;
}

/** Take a function, and call it in a task of its own. Source: include/linux/kthread.h, kernel/fork.c, kernel/vhost_task.c, net/sunrpc/svc.c. */
const BEGINS: ReadonlySet<string> = new Set([
  ..."kthread_create_on_node kthread_create_on_cpu kernel_thread user_mode_thread create_io_thread vhost_task_create".split(" "),
  ..."svc_create svc_create_pooled".split(" "),
]);

/** Of functions that are replaced. */
export function threadFunctions(plan: Plan): ThreadFunction[] {
  const found: ThreadFunction[] = [];
  for (const item of plan.changed.keys())
    if (plan.redirectable(item))
      for (const original of plan.originalsOf(item)) {
        const by = beginnerOf(plan, original);
        if (by !== undefined) found.push({ function: original.name, ...by });
      }
  return found;
}

function beginnerOf({ in: { original } }: Plan, item: Item): Omit<ThreadFunction, "function"> | undefined {
  for (const { by, ref } of original.referrers.all(item)) {
    if (by.kind !== "function" || by === item || ref.branch) continue;
    const refs = original.itemized.refsOf(by);
    const call = item.arch.code.pointersIn(bytesOf(by)).find(({ at }) => at === ref.at)?.argumentOf;
    // Where it cannot be told which call takes the pointer, any that begins a thread may.
    const calls = refs.filter(({ at, branch }) => branch && (call === undefined || at === call));
    const begins = calls.map(({ to }) => to.name).find((name) => BEGINS.has(name));
    if (begins !== undefined) return { by: by.name, call: begins };
  }
  return undefined;
}
