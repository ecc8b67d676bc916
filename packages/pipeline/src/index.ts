export { buildLivepatch } from "./build.ts";
export { pipelineErrors } from "./errors.ts";
export type { Livepatch } from "./link/livepatch.ts";
export type { BuildOptions, Looks, Predecessor } from "./options.ts";
export { readPatch, type SourcePatch } from "./patch/read.ts";
export { readPredecessor } from "./predecessor.ts";
export { compileBoth, compileOriginal } from "./run/compile-both.ts";
export type { Decision } from "./run/decisions.ts";
