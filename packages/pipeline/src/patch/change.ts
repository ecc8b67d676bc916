/** What a patch does to one file of the source. */
import type { Hunk } from "./hunk.ts";

export interface FileChange {
  /** The patch file, for errors. */
  from: string;
  /** Where its header stands in there, for people. */
  at: string;
  /** As the patch writes them; undefined for /dev/null. */
  oldName: string | undefined;
  newName: string | undefined;
  /** What a line `Index:` before it says. */
  indexName: string | undefined;
  /** What Suture does not do to a source, as one says it: "deletes a file". No livepatch can be made of it. */
  cannot: string | undefined;
  hunks: Hunk[];
}

/** What a header that has no hunks says. */
export const CANNOT = {
  deletes: "deletes a file",
  renames: "renames a file",
  copies: "copies a file",
  binary: "changes a file in binary",
  link: "makes or changes a symbolic link",
  submodule: "changes a submodule",
} as const;
