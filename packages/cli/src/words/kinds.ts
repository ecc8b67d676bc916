/** What the words between < and > stand for. */

/** Of what kind a value is, as far as a shell can help with it. */
export type Kind = "file" | "folder" | "module" | "kernel" | "livepatch" | "other";

export const KINDS: Readonly<Record<string, Kind>> = {
  file: "file",
  original: "file",
  patched: "file",
  patch: "file",
  source: "file",
  object: "file",
  "patch-or-module": "file",
  key: "file",
  certificate: "file",
  module: "module",
  "module-or-parameter": "module",
  folder: "folder",
  "key-file": "file",
  "published-folder": "folder",
  release: "kernel",
  livepatch: "livepatch",
};

export function kindOf(name: string): Kind {
  return KINDS[name] ?? "other";
}
