/** The changed files as the compiler is to see them. */
import type { Overlay } from "@suture/kbuild";
import type { ChangedFile } from "./apply.ts";
import { keepLineNumbers } from "./lines.ts";

export function overlayOf(files: readonly ChangedFile[]): Overlay {
  return new Map(
    files.map(({ path, before, after }) => [path, before === undefined || !/\.[ch]$/.test(path) ? after : keepLineNumbers(before, after)]),
  );
}
