/**
 * What kind of thing a section holds, as far as patching a running kernel goes. The names are those that the kernel's linker scripts collect
 * (include/asm-generic/vmlinux.lds.h, scripts/module.lds.S, and those of the processor). A name that is not known here is "unknown":
 * nothing of it is carried, and nothing of it may change.
 */
import type { Arch } from "@suture/arch";
import { type Section, SHF, SHT } from "@suture/elf";

export type SectionRole =
  | "text" // code that runs at any time
  | "init" // code and data of the boot phase, or of a module's loading
  | "exit" // code and data that a built-in object never uses
  | "unload" // code that a module runs when it goes
  | "data" // writable data, live in the kernel
  | "rodata" // read-only objects
  | "pool" // strings and constants that the linker merges: only contents count
  | "report" // what UBSAN's reports say: places in the source, types
  | "once" // bookkeeping of the once-macros
  | "percpu"
  | "dyndbg" // descriptors of pr_debug
  | "table" // special tables that point at code
  | "replacement" // pieces of code that belong to alternatives
  | "declared" // read once at boot or when a module is loaded: parameters, exports, trace events
  | "unknown" // what is there can be referred to; it cannot change, and nothing new can be carried
  | "ignored"; // means nothing at run time

/** What begins with the place in the source that a report names. */
export const REPORT_PLACE = ".data..Lubsan_data";

/** What the newer kernels' modpost makes the tables of exports from; the linker drops it. */
export const EXPORTS = ".export_symbol";

/** What decides which memory the kernel keeps. */
export interface Build {
  /** The object belongs to a module: its .exit sections are kept. */
  module: boolean;
  /** CONFIG_MEMORY_HOTPLUG, which keeps the .meminit sections. Undefined: not known, so that they may not be touched. */
  memoryHotplug: boolean | undefined;
}

/** A star stands for any characters. The first row that fits counts. */
const rows: readonly { role: SectionRole; names: readonly string[] }[] = [
  // Not loaded, dropped by the linker, or of interest to tools only.
  { role: "ignored", names: [".discard*", ".comment", ".debug*", ".note*", ".modinfo", ".BTF", ".stab*", ".gnu.version*", ".eh_frame*"] },
  // Lists of places for tools: a patch leaves them as they are.
  { role: "ignored", names: [".printk_index", "__patchable_function_entries", "__tracepoint_check", ".klp.symid"] },
  // What the fix says to the differ: marks.ts reads it.
  { role: "ignored", names: [".kpatch.*"] },
  { role: "dyndbg", names: ["__dyndbg"] },

  // Run or read once.
  { role: "init", names: [".init.*", ".initcall*", ".con_initcall.init", ".init_array*", ".ctors*", ".head.text", ".dtb.init.rodata"] },
  { role: "init", names: [".early_lsm_info.init", ".lsm_info.init"] },
  { role: "exit", names: [".exit.*", ".exitcall.exit", ".fini_array*"] },
  { role: "declared", names: ["___ksymtab*", "___kcrctab*", "___kflagstab*", "___kentry*", EXPORTS, "__param", "__modver"] },
  { role: "declared", names: ["__syscalls_metadata", "_ftrace_events", "_ftrace_eval_map", "__trace_printk_fmt", "__tracepoint_str"] },
  { role: "declared", names: ["__tracepoints_ptrs", "__tracepoints_strings", "__bpf_raw_tp_map", "___srcu_struct_ptrs"] },
  { role: "declared", names: ["_kprobe_blacklist", "_error_injection_whitelist", ".BTF_ids", ".static_call_tramp_key"] },
  { role: "declared", names: [".pci_fixup_*", ".iommu_table", ".builtin_fw", ".kunit_*"] },
  { role: "declared", names: ["__dyndbg_classes", "__earlycon_table", "__*_of_table", "__*_acpi_probe_table", "__*_thermal_table"] },

  // Code that has a section of its own.
  { role: "text", names: [".sched.text", ".spinlock.text", ".lock.text", ".kprobes.text", ".noinstr.text", ".cpuidle.text"] },
  { role: "text", names: [".irqentry.text", ".softirqentry.text", ".entry.text", ".ref.text", ".static_call.text"] },

  // Data that has a section of its own.
  { role: "percpu", names: [".data..percpu*"] },
  { role: "report", names: [`${REPORT_PLACE}*`, ".data..Lubsan_type*", ".rodata..Lubsan_type*"] },
  { role: "once", names: [".data.once", ".data..once", ".data..do_once"] },
  { role: "data", names: [".data..read_mostly", ".data..ro_after_init", ".data..cacheline_aligned", ".data..shared_aligned"] },
  { role: "data", names: [".data..page_aligned", ".bss..page_aligned", ".ref.data"] },
  // Registered with the kernel by other tables, which are read once. New ones are known to nobody, and stay switched off.
  { role: "unknown", names: ["__tracepoints"] },
  { role: "rodata", names: [".ref.rodata", ".data.rel.ro*", ".rodata1", ".rodata..c_jump_table"] },
];

interface Roles {
  exact: ReadonlyMap<string, SectionRole>;
  patterns: readonly { start: string; end: string; role: SectionRole }[];
}

const made = new Map<Arch, Roles>();

function rolesFor(arch: Arch): Roles {
  let roles = made.get(arch);
  if (roles === undefined) {
    roles = makeRoles(arch);
    made.set(arch, roles);
  }
  return roles;
}

function makeRoles({ tables }: Arch): Roles {
  const exact = new Map<string, SectionRole>();
  const patterns: { start: string; end: string; role: SectionRole }[] = [];
  const own: typeof rows = [
    { role: "ignored", names: tables.sections.ignored },
    { role: "table", names: [...tables.sections.table, ...tables.carried.map((t) => t.section), ...tables.constants.map((s) => `${s}*`)] },
    { role: "replacement", names: [tables.replacements, ...tables.outOfLine] },
    { role: "init", names: tables.sections.init },
    { role: "declared", names: tables.sections.declared },
  ];
  for (const { role, names } of [...own, ...rows])
    for (const name of names) {
      const star = name.indexOf("*");
      if (star >= 0) patterns.push({ start: name.slice(0, star), end: name.slice(star + 1), role });
      else if (!exact.has(name)) exact.set(name, role);
    }
  return { exact, patterns };
}

/** The section that a new tracepoint, or its name, is carried in: one that the kernel does not look for tracepoints in. */
export function tracepointHome({ name }: Section): string | undefined {
  return name === "__tracepoints" ? ".data" : name === "__tracepoints_strings" ? ".rodata" : undefined;
}

export function roleOf(section: Section, build: Build, arch: Arch): SectionRole {
  const { exact, patterns } = rolesFor(arch);
  const { name, flags } = section;
  const allocated = (flags & SHF.ALLOC) !== 0;
  if (section.type === SHT.NOTE) return "ignored";
  if (section.type !== SHT.PROGBITS && section.type !== SHT.NOBITS) return allocated ? "unknown" : "ignored";
  const common = commonRole(section, exact);
  if (common !== undefined) return common;
  const role = exact.get(name) ?? patterns.find((p) => name.startsWith(p.start) && name.endsWith(p.end))?.role ?? memoryRole(name, build);
  if (role === "exit" && build.module) return (flags & SHF.EXECINSTR) !== 0 ? "unload" : liveRole(section);
  if (role !== undefined) return role;
  if (!allocated) return "ignored";
  return (flags & SHF.MERGE) !== 0 ? "pool" : "unknown";
}

/** Of the sections that nearly everything is in: .text.NAME, .data.NAME, .bss.NAME, .rodata.NAME and the plain ones. */
function commonRole({ name, flags }: Section, exact: Roles["exact"]): SectionRole | undefined {
  const match = /^\.(text|data|bss|rodata)(?:$|\.(?!\.))/.exec(name);
  if (match === null || (flags & SHF.ALLOC) === 0 || exact.has(name) || name.startsWith(".data.rel.ro")) return undefined;
  const code = (flags & SHF.EXECINSTR) !== 0;
  if (match[1] === "text") return code ? "text" : "unknown";
  if (code) return "unknown";
  if ((flags & SHF.MERGE) !== 0) return "pool";
  return (flags & SHF.WRITE) !== 0 ? "data" : "rodata";
}

/** Memory that is kept where memory can be plugged in at run time. */
function memoryRole(name: string, { memoryHotplug }: Build): SectionRole | undefined {
  const match = /^\.mem(init|exit)\.(text|data|rodata)$/.exec(name);
  if (match === null) return undefined;
  if (memoryHotplug === undefined) return "unknown";
  if (!memoryHotplug) return match[1] === "init" ? "init" : "exit";
  return match[2] === "text" ? "text" : match[2] === "data" ? "data" : "rodata";
}

function liveRole({ flags }: Section): SectionRole {
  if ((flags & SHF.MERGE) !== 0) return "pool";
  return (flags & SHF.WRITE) !== 0 ? "data" : "rodata";
}
