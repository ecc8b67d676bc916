export { type BuildOptions, buildLivepatch, type Livepatch } from "./build.ts";
export { cacheRoot } from "./debian/layout.ts";
export { prepareTarget } from "./debian/prepare.ts";
export { buildErrors } from "./errors.ts";
export type { Target, TargetInput } from "./target.ts";
