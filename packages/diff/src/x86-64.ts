/** What the differ must know of x86-64: how instructions refer to places, and which special tables the kernel keeps. */
import { R_X86_64 } from "@suture/elf";

export const JMP_REL32 = 0xe9;

/** Whether the five-byte nop stands there that jump labels and static calls use. */
export function isNop5(code: Uint8Array, at: number): boolean {
  return [0x0f, 0x1f, 0x44, 0x00, 0x00].every((byte, i) => code[at + i] === byte);
}

/** Bytes from a PC-relative field of an instruction to its end: the field itself and an immediate of 0, 1, 2 or 4 bytes. */
export const FIELD_TO_END: readonly number[] = [4, 5, 6, 8];

/** Relocations that the kernel's module loader applies (arch/x86/kernel/module.c). */
export const LOADABLE: ReadonlySet<number> = new Set([
  R_X86_64[64],
  R_X86_64[32],
  R_X86_64["32S"],
  R_X86_64.PC32,
  R_X86_64.PLT32,
  R_X86_64.PC64,
]);

/** Whether the instruction with the PC-relative field may only compute the address (lea), so that it may be one past an object's end. */
export function mayComputeAddress(code: Uint8Array, at: number): boolean {
  return code[at - 2] === 0x8d;
}

/**
 * Bytes from a PC-relative data operand to the end of its instruction, where the bytes before it leave no doubt; undefined where the
 * instruction must be decoded. Source: Intel SDM volume 2, appendix A (opcode maps).
 */
export function fieldToEnd(code: Uint8Array, at: number): number | undefined {
  const modrm = code[at - 1] ?? 0;
  const opcode = code[at - 2] ?? 0;
  // Operands relative to the instruction pointer have mod 00 and rm 101.
  if (at < 2 || (modrm & 0xc7) !== 0x05) return undefined;
  // A VEX, EVEX or XOP prefix, or the three-byte map with an immediate, may stand before.
  if (code[at - 4] === 0xc5 || code[at - 5] === 0xc4 || code[at - 5] === 0x8f || code[at - 6] === 0x62) return undefined;
  if (code[at - 4] === 0x0f && code[at - 3] === 0x3a) return undefined;
  const wide = wideImmediate(opcode, modrm);
  // An operand size prefix makes it two bytes.
  if (wide && [3, 4, 5, 6].some((back) => code[at - back] === 0x66)) return undefined;
  const one = wide ? 4 : byteImmediate(opcode, modrm) ? 1 : 0;
  if (code[at - 3] === 0x0f && one !== (escapedImmediate.has(opcode) ? 1 : 0)) return undefined;
  return 4 + one;
}

function wideImmediate(opcode: number, modrm: number): boolean {
  return opcode === 0x69 || opcode === 0x81 || opcode === 0xc7 || (opcode === 0xf7 && (modrm & 0x30) === 0);
}

function byteImmediate(opcode: number, modrm: number): boolean {
  return byteImmediates.has(opcode) || (opcode === 0xf6 && (modrm & 0x30) === 0);
}

const byteImmediates: ReadonlySet<number> = new Set([0x6b, 0x80, 0x82, 0x83, 0xc0, 0xc1, 0xc6]);

/** In the map of opcodes after 0f. */
const escapedImmediate: ReadonlySet<number> = new Set([0x70, 0x71, 0x72, 0x73, 0xa4, 0xac, 0xba, 0xc2, 0xc4, 0xc5, 0xc6]);

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
  /** Bytes of an entry that mean something, where the last one may end with them: the assembler aligns only what follows. */
  used?: number;
  /** A second table, entry for entry beside this one. */
  beside?: { section: string; struct: string };
  /** Field that points at the static key or static call that switches the code. */
  key?: string;
  /** Entries are places in code that are filled in at boot, with what the section's name says. */
  constant?: boolean;
  /** Field of the entry that points at replacement code, and the fields that say how long it is. */
  replacement?: { field: string; length: string };
}

/**
 * The calls that ftrace can redirect. Functions with padding have entries in __patchable_function_entries too, whether they can be traced or
 * not: on x86 the kernel does not read those (HAVE_DYNAMIC_FTRACE_NO_PATCHABLE).
 */
export const FTRACE_SITES = "__mcount_loc";

export const JUMP_TABLE = "__jump_table";

/** Lists of places in code that the kernel fills in at boot: a section for each constant, called after the variable that it comes from. */
export const CONSTANT_POINTERS = "runtime_ptr_";
export const CONSTANT_SHIFTS = "runtime_shift_";

/** Source: the kernel's arch/x86/include/asm and include/linux headers that define the structures named here. */
export const tables: readonly TableKind[] = [
  { section: "__bug_table", size: { struct: "bug_entry" }, compared: true, noise: "line" },
  { section: "__ex_table", size: { struct: "exception_table_entry" }, compared: true },
  { section: JUMP_TABLE, size: { struct: "jump_entry" }, compared: true, key: "key" },
  {
    section: ".altinstructions",
    size: { struct: "alt_instr" },
    compared: true,
    replacement: { field: "repl_offset", length: "replacementlen" },
  },
  { section: ".parainstructions", size: { struct: "paravirt_patch_site" }, compared: true, used: 10 },
  { section: ".static_call_sites", size: { struct: "static_call_site" }, compared: true, key: "key" },
  { section: ".smp_locks", size: 4, compared: false },
  { section: ".retpoline_sites", size: 4, compared: false },
  { section: ".return_sites", size: 4, compared: false },
  { section: ".call_sites", size: 4, compared: false },
  { section: ".kcfi_traps", size: 4, compared: false },
  { section: ".orc_unwind_ip", size: 4, compared: false, beside: { section: ".orc_unwind", struct: "orc_entry" } },
  { section: FTRACE_SITES, size: 8, compared: false },
];

/** Replacement instructions: pieces of code that entries of .altinstructions point into. */
export const ALT_REPLACEMENT = ".altinstr_replacement";

/** Out-of-line code of alternatives that is jumped into and jumps back; it has no symbols. */
export const ALT_AUX = ".altinstr_aux";

/** Code of kernels up to 5.16 that the exception table leads to, and that jumps back; it has no symbols. */
export const FIXUP = ".fixup";

/** What the kernel's own types say. Sizes in bytes; undefined if the kernel has no such structure. */
export interface TypeLayouts {
  size(struct: string): number | undefined;
  /** Byte offset and size of a member. */
  member(struct: string, name: string): { offset: number; size: number } | undefined;
}
