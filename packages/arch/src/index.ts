export type { Arch } from "./arch.ts";
export { archHere, archOf, archs, isKnown, thisArch } from "./arch-of.ts";
export type { Access, Code, Implied, Instruction, ListedInstruction, PointerUse, Step } from "./code.ts";
export { archErrors } from "./errors.ts";
export type { LogWords } from "./log-words.ts";
export type { Qemu } from "./qemu.ts";
export type { Relocations } from "./relocations.ts";
export type { Field as RewrittenField, KeyBranch, KeyRead, Rewrite, Room } from "./rewrite.ts";
export type { EntryShape, SpecialTable, Tables, TypeLayouts } from "./tables.ts";
