/** What tells apart things that are kept for one target: all that the build of an object depends on besides its sources. */
import { createHash } from "node:crypto";
import type { Target } from "@suture/sources";

export function keyOf(target: Target, what: readonly unknown[]): string {
  const inputs = target.inputs.map(({ name, version, sha256 }) => [name, version, sha256]);
  const text = JSON.stringify([what, target.release, target.tree, target.make, inputs]);
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
