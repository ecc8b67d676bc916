export { type BuildOptions, buildLivepatch, type Livepatch } from "./build.ts";
export { KernelContext } from "./context.ts";
export { cacheRoot } from "./debian/layout.ts";
export { type KernelList, type ListedKernel, listKernels } from "./debian/list.ts";
export { newestKernel } from "./debian/newest.ts";
export { prepareTarget } from "./debian/prepare.ts";
export { buildErrors } from "./errors.ts";
export { readPatch, type SourcePatch } from "./patch/read.ts";
export type { Target, TargetInput } from "./target.ts";
