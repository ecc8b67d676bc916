export type { Arch } from "./arch.ts";
export { archOf, isKnown } from "./arch-of.ts";
export type { Access, Code, Implied, Instruction, PointerUse, Step } from "./code.ts";
export { archErrors } from "./errors.ts";
export type { Relocations } from "./relocations.ts";
export type { Field as RewrittenField, KeyBranch, KeyRead, Rewrite } from "./rewrite.ts";
export type { EntryShape, SpecialTable, Tables, TypeLayouts } from "./tables.ts";
