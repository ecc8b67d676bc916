/** What the proof must know of x86-64: fields of relocations, and the kernel's special tables. */
import { isBranchField, R_X86_64, relocationKind } from "@suture/elf";

/** Bytes of the field that a relocation changes; undefined for a type that is not understood. */
export function fieldSize(type: number): number | undefined {
  return understood.has(type) ? relocationKind(type)?.size : undefined;
}

/** The types of a 4-byte distance, which mean the same in an object. */
export function isNear(type: number): boolean {
  return type === R_X86_64.PC32 || type === R_X86_64.PLT32;
}

/** Whether the 4-byte field at `at` ends its instruction: of a call, jump, conditional jump or lea. */
export function jumpsOrLoadsAddress(code: Uint8Array, at: number): boolean {
  return isBranchField(code, at) || (code[at - 2] === 0x8d && ((code[at - 1] ?? 0) & 0xc7) === 0x05);
}

const understood: ReadonlySet<number> = new Set([
  R_X86_64[64],
  R_X86_64.PC32,
  R_X86_64.PLT32,
  R_X86_64[32],
  R_X86_64["32S"],
  R_X86_64.PC64,
]);

/** What a linked field holds, S + A; undefined if it is no address that a kernel can have. */
export function linkedValue(view: DataView, at: number, type: number, place: number): number | undefined {
  switch (type) {
    case R_X86_64.PC32:
    case R_X86_64.PLT32:
      return view.getInt32(at, true) + place;
    case R_X86_64["32S"]:
      return view.getInt32(at, true);
    case R_X86_64[32]:
      return view.getUint32(at, true);
    case R_X86_64[64]:
      return exact(view.getBigInt64(at, true));
    case R_X86_64.PC64: {
      const distance = exact(view.getBigInt64(at, true));
      return distance === undefined ? undefined : distance + place;
    }
    default:
      return undefined;
  }
}

function exact(value: bigint): number | undefined {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** How the kernel's list of relocated fields must treat a field, by what it refers to. Source: arch/x86/tools/relocs.c. */
export function relocatedAs(type: number, perCpu: boolean): "abs32" | "inverse32" | "abs64" | undefined {
  switch (type) {
    case R_X86_64.PC32:
    case R_X86_64.PLT32:
      return perCpu ? "inverse32" : undefined;
    case R_X86_64[32]:
    case R_X86_64["32S"]:
      return perCpu ? undefined : "abs32";
    case R_X86_64[64]:
      return perCpu ? undefined : "abs64";
    default:
      return undefined;
  }
}

/** A table whose entries begin with a pointer to the code that they are about. */
export interface TableKind {
  section: string;
  /** What the linker script encloses it in, where it does. */
  start: string;
  stop: string;
  /** Type of the relocation in the first field. */
  key: number;
  /** Of an entry: a structure of the kernel's types, or bytes where it is a bare pointer. */
  size: { struct: string } | number;
  /** A second table, entry for entry beside this one. */
  beside?: { section: string; start: string; stop: string; struct: string };
  /**
   * An entry holds up to the next one: one that says again what the entry before it says may be missing, as where objtool sees several objects
   * at once. Each section of an object ends its entries with one for the byte after it, which is about nothing.
   */
  ranges?: boolean;
  /** An entry says that no code refers to an address, as far as objtool sees: the kernel, seen as a whole, may lack it. */
  unreferenced?: boolean;
}

/** Source: include/asm-generic/vmlinux.lds.h, arch/x86/kernel/vmlinux.lds.S, and the headers that define the structures named here. */
export const tables: readonly TableKind[] = [
  { section: "__bug_table", start: "__start___bug_table", stop: "__stop___bug_table", key: R_X86_64.PC32, size: { struct: "bug_entry" } },
  {
    section: "__ex_table",
    start: "__start___ex_table",
    stop: "__stop___ex_table",
    key: R_X86_64.PC32,
    size: { struct: "exception_table_entry" },
  },
  {
    section: "__jump_table",
    start: "__start___jump_table",
    stop: "__stop___jump_table",
    key: R_X86_64.PC32,
    size: { struct: "jump_entry" },
  },
  {
    section: ".altinstructions",
    start: "__alt_instructions",
    stop: "__alt_instructions_end",
    key: R_X86_64.PC32,
    size: { struct: "alt_instr" },
  },
  {
    section: ".parainstructions",
    start: "__parainstructions",
    stop: "__parainstructions_end",
    key: R_X86_64[64],
    size: { struct: "paravirt_patch_site" },
  },
  {
    section: ".static_call_sites",
    start: "__start_static_call_sites",
    stop: "__stop_static_call_sites",
    key: R_X86_64.PC32,
    size: { struct: "static_call_site" },
  },
  { section: ".smp_locks", start: "__smp_locks", stop: "__smp_locks_end", key: R_X86_64.PC32, size: 4 },
  { section: ".retpoline_sites", start: "__retpoline_sites", stop: "__retpoline_sites_end", key: R_X86_64.PC32, size: 4 },
  { section: ".return_sites", start: "__return_sites", stop: "__return_sites_end", key: R_X86_64.PC32, size: 4 },
  { section: ".call_sites", start: "__call_sites", stop: "__call_sites_end", key: R_X86_64.PC32, size: 4 },
  {
    section: ".ibt_endbr_seal",
    start: "__ibt_endbr_seal",
    stop: "__ibt_endbr_seal_end",
    key: R_X86_64.PC32,
    size: 4,
    unreferenced: true,
  },
  { section: ".cfi_sites", start: "__cfi_sites", stop: "__cfi_sites_end", key: R_X86_64.PC32, size: 4 },
  { section: ".kcfi_traps", start: "__start___kcfi_traps", stop: "__stop___kcfi_traps", key: R_X86_64.PC32, size: 4 },
  { section: "__mcount_loc", start: "__start_mcount_loc", stop: "__stop_mcount_loc", key: R_X86_64[64], size: 8 },
  {
    section: ".orc_unwind_ip",
    start: "__start_orc_unwind_ip",
    stop: "__stop_orc_unwind_ip",
    key: R_X86_64.PC32,
    size: 4,
    beside: { section: ".orc_unwind", start: "__start_orc_unwind", stop: "__stop_orc_unwind", struct: "orc_entry" },
    ranges: true,
  },
];

/** Not in the running kernel though flagged as if, or only for the tools of the build. */
export function isBuildOnly(section: string): boolean {
  return (
    /^\.(discard|modinfo|note|comment|export_symbol|gnu\.|printk_index|orc_header)/.test(section) ||
    section === "__patchable_function_entries"
  );
}

/** The numbers of types are filled in after the link, and sorted; what they are of, the names of the section's symbols say. */
export function isFilledLater(section: string): boolean {
  return section === ".BTF_ids";
}

/** The names that the padding before a function has, which a call may use. */
export function paddingNames(name: string): string[] {
  return ["__pfx_", "__cfi_"].map((start) => start + name);
}

/** Sections whose code is gone when the kernel has booted, the module is loaded, or is going. */
export function isInitOnly(section: string): boolean {
  return /^\.(init|exit|meminit|memexit|cpuinit|devinit|head)\b/.test(section);
}
