/** What tells apart things that are kept for one target: all that the build of an object depends on besides its sources. */
import { sha256 } from "@suture/files";
import type { Target } from "@suture/sources";

export function keyOf(target: Target, what: readonly unknown[]): string {
  const inputs = target.inputs.map(({ name, version, sha256 }) => [name, version, sha256]);
  const text = JSON.stringify([what, target.release, target.tree, target.make, inputs]);
  return sha256(text).slice(0, 32);
}
