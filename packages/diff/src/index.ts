export { CALLBACKS, type Callback, type CallbackKind } from "./callbacks.ts";
export type { KeepEntry } from "./carry.ts";
export { type Added, type ChangedFunction, type Delta, type DiffOptions, diff } from "./diff.ts";
export type { External } from "./emit.ts";
export { diffErrors } from "./errors.ts";
export { stem } from "./names.ts";
export type { KeyedEntry, Named } from "./plan.ts";
export type { Build } from "./sections.ts";
export { LOADABLE, type TypeLayouts, tables } from "./x86-64.ts";
