/** The special tables of x86-64 kernels. */
import type { EntryShape, SpecialTable, Tables } from "../tables.ts";
import { R_X86_64 } from "./relocations.ts";

/**
 * The calls that ftrace can redirect. Functions with padding have entries in __patchable_function_entries too, whether they can be traced or
 * not: on x86 the kernel does not read those (HAVE_DYNAMIC_FTRACE_NO_PATCHABLE).
 */
export const FTRACE_SITES = "__mcount_loc";

/** Lists of places in code that the kernel fills in at boot: a section for each constant, called after the variable that it comes from. */
export const CONSTANT_POINTERS = "runtime_ptr_";
const CONSTANT_SHIFTS = "runtime_shift_";
const CONSTANT_MASKS = "runtime_mask_";

/** Out-of-line code of alternatives that is jumped into and jumps back; it has no symbols. */
const ALT_AUX = ".altinstr_aux";

/** Code of kernels up to 5.16 that the exception table leads to, and that jumps back; it has no symbols. */
const FIXUP = ".fixup";

/** Source: include/asm-generic/vmlinux.lds.h, arch/x86/kernel/vmlinux.lds.S, and the headers that define the structures named here. */
const all: readonly SpecialTable[] = [
  {
    section: "__bug_table",
    start: "__start___bug_table",
    stop: "__stop___bug_table",
    pointer: R_X86_64.PC32,
    size: { struct: "bug_entry" },
    compared: true,
    noise: "line",
    handedOn: true,
  },
  {
    section: "__ex_table",
    start: "__start___ex_table",
    stop: "__stop___ex_table",
    pointer: R_X86_64.PC32,
    size: { struct: "exception_table_entry" },
    compared: true,
  },
  {
    section: "__jump_table",
    start: "__start___jump_table",
    stop: "__stop___jump_table",
    pointer: R_X86_64.PC32,
    size: { struct: "jump_entry" },
    compared: true,
    key: "key",
  },
  {
    section: ".altinstructions",
    start: "__alt_instructions",
    stop: "__alt_instructions_end",
    pointer: R_X86_64.PC32,
    size: { struct: "alt_instr" },
    compared: true,
    replacement: { field: "repl_offset", length: "replacementlen" },
    covers: "instrlen",
  },
  {
    section: ".parainstructions",
    start: "__parainstructions",
    stop: "__parainstructions_end",
    pointer: R_X86_64[64],
    size: { struct: "paravirt_patch_site" },
    compared: true,
    used: 10,
    covers: "len",
  },
  {
    section: ".static_call_sites",
    start: "__start_static_call_sites",
    stop: "__stop_static_call_sites",
    pointer: R_X86_64.PC32,
    size: { struct: "static_call_site" },
    compared: true,
    key: "key",
  },
  { section: ".smp_locks", start: "__smp_locks", stop: "__smp_locks_end", pointer: R_X86_64.PC32, size: 4, compared: false },
  {
    section: ".retpoline_sites",
    start: "__retpoline_sites",
    stop: "__retpoline_sites_end",
    pointer: R_X86_64.PC32,
    size: 4,
    compared: false,
  },
  { section: ".return_sites", start: "__return_sites", stop: "__return_sites_end", pointer: R_X86_64.PC32, size: 4, compared: false },
  { section: ".call_sites", start: "__call_sites", stop: "__call_sites_end", pointer: R_X86_64.PC32, size: 4, compared: false },
  {
    section: ".ibt_endbr_seal",
    start: "__ibt_endbr_seal",
    stop: "__ibt_endbr_seal_end",
    pointer: R_X86_64.PC32,
    size: 4,
    unreferenced: true,
  },
  { section: ".cfi_sites", start: "__cfi_sites", stop: "__cfi_sites_end", pointer: R_X86_64.PC32, size: 4 },
  { section: ".kcfi_traps", start: "__start___kcfi_traps", stop: "__stop___kcfi_traps", pointer: R_X86_64.PC32, size: 4, compared: false },
  {
    section: ".orc_unwind_ip",
    start: "__start_orc_unwind_ip",
    stop: "__stop_orc_unwind_ip",
    pointer: R_X86_64.PC32,
    size: 4,
    compared: false,
    beside: { section: ".orc_unwind", start: "__start_orc_unwind", stop: "__stop_orc_unwind", struct: "orc_entry" },
    ranges: true,
  },
  { section: "__mcount_loc", start: "__start_mcount_loc", stop: "__stop_mcount_loc", pointer: R_X86_64[64], size: 8, compared: false },
];

/** Source: arch/x86/include/asm and include headers of the kernels that have them. */
export const shapes: Readonly<Record<string, readonly EntryShape[]>> = {
  bug_entry: [
    { size: 12, pointers: { 0: 4, 4: 4 }, members: { line: { offset: 8, size: 2 } } },
    // As of 6.19: with the text of the warning.
    { size: 16, pointers: { 0: 4, 4: 4, 8: 4 }, filled: true, members: { line: { offset: 12, size: 2 } } },
    // Without CONFIG_DEBUG_BUGVERBOSE.
    { size: 8, pointers: { 0: 4 } },
  ],
  exception_table_entry: [{ size: 12, pointers: { 0: 4, 4: 4, 8: 4 } }],
  jump_entry: [
    { size: 16, pointers: { 0: 4, 4: 4, 8: 8 }, members: { key: { offset: 8, size: 8 } } },
    // Up to 4.19: addresses, not distances.
    { size: 24, pointers: { 0: 8, 8: 8, 16: 8 }, members: { key: { offset: 16, size: 8 } } },
  ],
  alt_instr: [
    { size: 12, pointers: { 0: 4, 4: 4 }, members: replacement(10, 11) },
    // Up to 5.12: with padlen.
    { size: 13, pointers: { 0: 4, 4: 4 }, members: replacement(10, 11) },
    // As of 6.3: with flags.
    { size: 14, pointers: { 0: 4, 4: 4 }, members: replacement(12, 13) },
  ],
  paravirt_patch_site: [{ size: 16, pointers: { 0: 8 }, members: { len: { offset: 9, size: 1 } } }],
  static_call_site: [{ size: 8, pointers: { 0: 4, 4: 4 }, members: { key: { offset: 4, size: 4 } } }],
  orc_entry: [{ size: 6, pointers: {} }],
};

function replacement(original: number, length: number): NonNullable<EntryShape["members"]> {
  return {
    repl_offset: { offset: 4, size: 4 },
    instrlen: { offset: original, size: 1 },
    replacementlen: { offset: length, size: 1 },
  };
}

/** Not in the running kernel though flagged as if, or only for the tools of the build. */
function isBuildOnly(section: string): boolean {
  return (
    /^\.(discard|modinfo|note|comment|export_symbol|gnu\.|printk_index|orc_header)/.test(section) ||
    section === "__patchable_function_entries"
  );
}

export const tables: Tables = {
  all,
  carried: all.filter(({ compared }) => compared !== undefined),
  shapes,
  early: [
    ".altinstructions",
    ".parainstructions",
    "__jump_table",
    ".static_call_sites",
    ".smp_locks",
    ".retpoline_sites",
    ".return_sites",
    ".call_sites",
  ],
  jumps: "__jump_table",
  constants: [CONSTANT_POINTERS, CONSTANT_SHIFTS, CONSTANT_MASKS],
  constantTable: (section) => ({ section, start: "", stop: "", pointer: R_X86_64.PC32, size: 4, compared: true, constant: true }),
  replacements: ".altinstr_replacement",
  outOfLine: [ALT_AUX, FIXUP],
  sections: {
    // Taking landing pads away is hardening; whether a new function's address is taken, one object alone does not tell.
    ignored: [".ibt_endbr_seal"],
    init: [".x86_cpu_dev.init", ".x86_intel_mid_dev.init"],
    declared: [".apicdrivers"],
    table: [".orc_unwind", ".orc_header"],
  },
  isBuildOnly,
};
