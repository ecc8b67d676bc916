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

/** The target without paths (but for a compiler of the cache), so that a cache can be moved. */
export const targetSchema = v.object({
  release: v.string(),
  version: v.string(),
  make: v.array(v.string()),
  /** A program on the PATH, or the path of one in the cache. */
  compiler: v.string(),
  linker: v.exactOptional(v.string()),
  /** Where the compiler is one of the cache: its folder there, whose path make's words and programs of the tree have. */
  toolchain: v.exactOptional(v.object({ name: v.string(), path: v.string(), version: v.string() })),
  inputs: v.array(targetInputSchema),
  /** The directory of sources/ that the tree has its files from, and the bytes of both on the disk, links counted for the source. */
  source: v.string(),
  sourceBytes: v.number(),
  ownBytes: v.number(),
});

export type TargetDescription = v.InferOutput<typeof targetSchema>;
