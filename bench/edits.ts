/** Changes to single functions that any version of the source takes: what the benchmarks patch. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTwoFilesPatch } from "diff";

export interface Edit {
  object: string;
  from: RegExp;
  to: string;
}

export const EDITS: readonly Edit[] = [
  { object: "fs/proc/meminfo", from: /"MemTotal: /, to: '"MemSum:   ' },
  { object: "net/ipv4/tcp_input", from: /Possible SYN flooding/, to: "Likely SYN flooding" },
  { object: "mm/page_alloc", from: /page allocation failure: order/, to: "page allocation failed: order" },
  { object: "kernel/sched/core", from: /no longer affine to cpu/, to: "not affine any more to cpu" },
  { object: "net/core/dev", from: /%s promiscuous mode/, to: "%s all-packets mode" },
  { object: "fs/ext4/super", from: /error count since last fsck/, to: "errors since last fsck" },
];

/** @returns the path of a patch of the tree, written to `folder`; undefined if this source has no such place */
export function writePatch(tree: string, folder: string, edit: Edit): string | undefined {
  const file = `${edit.object}.c`;
  const before = readFileSync(join(tree, file), "latin1");
  const after = before.replace(edit.from, edit.to);
  if (after === before) return undefined;
  const path = join(folder, `${edit.object.replaceAll("/", "-")}.patch`);
  writeFileSync(path, createTwoFilesPatch(`a/${file}`, `b/${file}`, before, after), "latin1");
  return path;
}
