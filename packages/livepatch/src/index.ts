export { type Combined, type CombineOptions, combine, type Part } from "./combine.ts";
export { PATCH_SYMBOL } from "./descriptor.ts";
export { livepatchErrors } from "./errors.ts";
export { finish } from "./finish.ts";
export { type Inspection, inspect } from "./inspect.ts";
export { type Manifest, manifestOf, writeManifest } from "./manifest.ts";
export { isKlpSymbol, moduleName } from "./names.ts";
export { type KernelView, type Locate, type Owner, type Place, type Resolved, vmlinuxOwner, type World } from "./resolve.ts";
export { verify } from "./verify.ts";
