export { isBranch } from "./branches.ts";
export { ReachedByDistance } from "./by-distance.ts";
export { type Combined, type CombineOptions, combine, type Part } from "./combine.ts";
export { PATCH_SYMBOL, type State } from "./descriptor.ts";
export { againSource, entrySource, fixHeaderFolder, headerFolder, liveSource, membersSource, redirectSource } from "./entry.ts";
export { livepatchErrors } from "./errors.ts";
export { finish } from "./finish.ts";
export { type Inspection, inspect } from "./inspect.ts";
export { isKlpSymbol, klpSymbolName, longestSymbol, moduleName, parseKlpSymbol, splitUser, withUser } from "./names.ts";
export type { ReadDescriptor } from "./read-descriptor.ts";
export { readManifest } from "./read-manifest.ts";
export {
  Answers,
  type KernelView,
  type Locate,
  moduleOwner,
  type Owner,
  type Place,
  type Resolved,
  type SymbolSources,
  vmlinuxOwner,
} from "./resolve.ts";
export { verify } from "./verify.ts";
