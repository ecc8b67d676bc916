export { type Added, type ChangedFunction, type Delta, type DiffOptions, diff } from "./diff.ts";
export type { External } from "./emit.ts";
export { diffErrors } from "./errors.ts";
export type { Build } from "./sections.ts";
export { stem } from "./names.ts";
export { type TypeLayouts, tables } from "./x86-64.ts";
