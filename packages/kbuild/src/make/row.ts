/** What make printed of an object. */
import { foldersOf } from "./steps.ts";

/** What is kept of a command: the rest follows from the object's name. */
export interface Row {
  readonly object: string;
  readonly source: string;
  readonly owner: string;
  readonly compile: string;
  readonly objtool: string;
  /** That its compiler looks in for what is included. */
  readonly folders: readonly string[];
}

export function makeRow(row: Omit<Row, "folders">): Row {
  return { ...row, folders: foldersOf(row.compile) };
}
