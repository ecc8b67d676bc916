/** A livepatch's manifest that says nothing but what a test puts there. */
import type { DraftManifest } from "@suture/protocol";

export function draftOf(more: Partial<DraftManifest> = {}): DraftManifest {
  return {
    suture: 1,
    name: "test",
    kernel: { release: "6.1.0-test", buildId: "00" },
    proof: { proven: true, functions: 1 },
    replace: false,
    objects: [],
    functions: [],
    added: [],
    skipped: [],
    notes: [],
    symbols: [],
    compiler: "gcc",
    inputs: [],
    fixes: [],
    ...more,
  };
}
