/** The corpus' description of its fixes, as far as it is used. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Fix {
  name: string;
  /** Path of the patch in the corpus. */
  patch: string;
  class: string;
  files: string[];
  expect: string;
  changed_functions: { name: string; obj: string; kind: string; fentry?: boolean }[];
  new_functions: { name: string; obj: string }[];
  line_only_functions: unknown[];
  layout: string[];
  hard: string[];
  objects: { module: string; object: string }[];
}

export function readManifest(folder: string): { release: string; patches: Fix[] } {
  return JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as { release: string; patches: Fix[] };
}
