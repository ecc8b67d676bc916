/** What the cache says of a kernel that is ready, in its target.json. */
import * as v from "valibot";

/** What a target was made from, for the manifest: a package, a file of a tree that somebody prepared, or a module outside of the tree. */
export const targetInputSchema = v.object({
  kind: v.picklist(["package", "tree", "module"]),
  name: v.string(),
  version: v.exactOptional(v.string()),
  sha256: v.string(),
});

export type TargetInput = v.InferOutput<typeof targetInputSchema>;

/** The target without paths, so that a cache can be moved. */
export const targetSchema = v.object({
  release: v.string(),
  version: v.string(),
  make: v.array(v.string()),
  compiler: v.string(),
  inputs: v.array(targetInputSchema),
  /** The directory of sources/ that the tree has its files from, and the bytes of both on the disk, links counted for the source. */
  source: v.string(),
  sourceBytes: v.number(),
  ownBytes: v.number(),
});

export type TargetDescription = v.InferOutput<typeof targetSchema>;
