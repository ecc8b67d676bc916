/** What the differ must know of x86-64: how instructions refer to places, and which special tables the kernel keeps. */
import { R_X86_64, relocationKind } from "@suture/elf";

/** Whether the 4-byte field at `at` is the target of a call, jump or conditional jump, which ends with the field. */
export function isBranchField(code: Uint8Array, at: number): boolean {
  const before = code[at - 1];
  if (before === 0xe8 || before === 0xe9) return true;
  // In `0f 8x rel32` the byte before the field cannot be a ModRM byte of a PC-relative operand: those have mod 00.
  return before !== undefined && (before & 0xf0) === 0x80 && code[at - 2] === 0x0f;
}

/** Bytes from a PC-relative field of an instruction to its end: the field itself and an immediate of 0, 1, 2 or 4 bytes. */
export const FIELD_TO_END = [4, 5, 6, 8] as const;

export function isPcRelative(type: number): boolean {
  return relocationKind(type)?.pcRelative === true;
}

/** objtool leaves relocations of type NONE behind: they mean nothing. */
export function isNothing(type: number): boolean {
  return type === R_X86_64.NONE;
}

/**
 * A special section is a table of entries that point at code. `size` names what gives an entry's size: a structure of the kernel
 * (looked up in the kernel's own types) or a number where the entry is a bare pointer.
 */
export interface TableKind {
  section: string;
  size: { struct: string } | number;
  /** Entries of a changed function are compared too: what they say is behaviour. */
  compared: boolean;
  /** A field that says nothing about behaviour: the line that a warning names, of a function that is the same but for its place. */
  noise?: string;
  /** A second table, entry for entry beside this one. */
  beside?: { section: string; struct: string };
  /** Field of the entry that points at replacement code, and the fields that say how long it is. */
  replacement?: { field: string; length: string };
}

/** Source: the kernel's arch/x86/include/asm and include/linux headers that define the structures named here. */
export const tables: readonly TableKind[] = [
  { section: "__bug_table", size: { struct: "bug_entry" }, compared: true, noise: "line" },
  { section: "__ex_table", size: { struct: "exception_table_entry" }, compared: true },
  { section: "__jump_table", size: { struct: "jump_entry" }, compared: true },
  {
    section: ".altinstructions",
    size: { struct: "alt_instr" },
    compared: true,
    replacement: { field: "repl_offset", length: "replacementlen" },
  },
  { section: ".parainstructions", size: { struct: "paravirt_patch_site" }, compared: true },
  { section: ".static_call_sites", size: { struct: "static_call_site" }, compared: true },
  { section: ".smp_locks", size: 4, compared: false },
  { section: ".retpoline_sites", size: 4, compared: false },
  { section: ".return_sites", size: 4, compared: false },
  { section: ".call_sites", size: 4, compared: false },
  { section: ".ibt_endbr_seal", size: 4, compared: false },
  { section: ".kcfi_traps", size: 4, compared: false },
  { section: ".orc_unwind_ip", size: 4, compared: false, beside: { section: ".orc_unwind", struct: "orc_entry" } },
  { section: "__mcount_loc", size: 8, compared: false },
  { section: "__patchable_function_entries", size: 8, compared: false },
];

/** Where the entries of functions that ftrace can redirect stand. */
export const fentryTables = ["__mcount_loc", "__patchable_function_entries"];

/** Replacement instructions: pieces of code that entries of .altinstructions point into. */
export const ALT_REPLACEMENT = ".altinstr_replacement";

/** Out-of-line code of alternatives that is jumped into and jumps back; it has no symbols. */
export const ALT_AUX = ".altinstr_aux";

/** What the kernel's own types say. Sizes in bytes; undefined if the kernel has no such structure. */
export interface TypeLayouts {
  size(struct: string): number | undefined;
  /** Byte offset and size of a member. */
  member(struct: string, name: string): { offset: number; size: number } | undefined;
}
