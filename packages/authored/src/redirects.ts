/** The code that redirects functions by probes (packages/livepatch/c/redirect.c), with the tables that the differ wrote. */
import type { KernelContext } from "@suture/kbuild";
import { type Part, redirectSource } from "@suture/livepatch";
import type { Task } from "@suture/task";
import { type OwnedTable, ownersOf, partsPerOwner } from "./per-owner.ts";

/** @param module the livepatch's name as the kernel has it */
export function redirectParts(task: Task, kernel: KernelContext, tables: readonly OwnedTable[], module: string): Promise<Part[]> {
  const list = { name: "suture_redirect_lists.h", text: listsOf(tables) };
  return partsPerOwner(task, kernel, { file: "suture_redirect.c", source: redirectSource(), list }, tables, module);
}

function listsOf(tables: readonly OwnedTable[]): string {
  let first = 0;
  const rows = tables.map(({ owner, table, count }) => {
    const row = `\t{ ${owner === "vmlinux" ? "NULL" : `"${owner}"`}, ${table}, ${count}, ${first} },`;
    first += count;
    return row;
  });
  return [
    `#define SUTURE_REDIRECTS ${first}`,
    ...tables.map(({ table }) => `extern struct suture_redirect ${table}[];`),
    "static const struct suture_redirect_list suture_redirect_lists[] = {",
    ...rows,
    "};",
    ...ownersOf(tables).flatMap((owner) => [
      `SUTURE_PRE_PATCH("${owner}", suture_redirect_prepare);`,
      `SUTURE_POST_PATCH("${owner}", suture_redirect_arm);`,
      `SUTURE_PRE_UNPATCH("${owner}", suture_redirect_disarm);`,
      `SUTURE_POST_UNPATCH("${owner}", suture_redirect_remove);`,
    ]),
    "",
  ].join("\n");
}
