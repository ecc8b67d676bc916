/** The code that changes words of the kernel's variables where they stand (packages/livepatch/c/live.c), with the tables that the differ wrote. */
import type { KernelContext } from "@suture/kbuild";
import { liveSource, type Part } from "@suture/livepatch";
import type { Task } from "@suture/task";
import { type OwnedTable, ownersOf, partsPerOwner } from "./per-owner.ts";

/** @param module the livepatch's name as the kernel has it */
export function liveParts(task: Task, kernel: KernelContext, tables: readonly OwnedTable[], module: string): Promise<Part[]> {
  const list = { name: "suture_live_lists.h", text: listsOf(tables) };
  return partsPerOwner(task, kernel, { file: "suture_live.c", source: liveSource(), list }, tables, module);
}

function listsOf(tables: readonly OwnedTable[]): string {
  return [
    ...tables.map(({ table }) => `extern struct suture_live_word ${table}[];`),
    "static const struct suture_live_list suture_live_lists[] = {",
    ...tables.map(({ owner, table, count }) => `\t{ ${owner === "vmlinux" ? "NULL" : `"${owner}"`}, ${table}, ${count} },`),
    "};",
    ...ownersOf(tables).flatMap((owner) => [
      `SUTURE_PRE_PATCH("${owner}", suture_live_look);`,
      `SUTURE_POST_PATCH("${owner}", suture_live_put);`,
      `SUTURE_PRE_UNPATCH("${owner}", suture_live_put_back);`,
    ]),
    "",
  ].join("\n");
}
