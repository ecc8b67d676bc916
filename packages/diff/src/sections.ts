/** What kind of thing a section holds, as far as patching a running kernel goes. */
import { type Section, SHF, SHT } from "@suture/elf";
import { ALT_AUX, ALT_REPLACEMENT, tables } from "./x86-64.ts";

export type SectionRole =
  | "text" // code that runs at any time
  | "init" // code and data of the boot phase, and of the exit of a built-in object
  | "data" // writable data, live in the kernel
  | "rodata" // read-only objects
  | "pool" // strings and constants that the linker merges: only contents count
  | "once" // bookkeeping of the once-macros (.data.once)
  | "percpu"
  | "dyndbg" // descriptors of pr_debug
  | "table" // special tables that point at code
  | "replacement" // pieces of code that belong to alternatives
  | "declared" // read once at boot or module load: parameters, exports, initcalls, trace events
  | "ignored"; // means nothing at run time

const initPrefix = /^\.(init|exit|meminit|devinit|cpuinit)\b|^\.(init|exit)\./;
const declared =
  /^(___?ksymtab|___kcrctab|__ksymtab_strings|__param|\.initcall|\.con_initcall|__syscalls_metadata|_ftrace_event|_ftrace_eval_map|_bpf_raw_tp|__bpf_raw_tp_map|__tracepoints_ptrs|__tracepoints_strings|\.BTF_ids|_error_injection_whitelist|_kprobe_blacklist|\.modinfo|__modver|\.x86_cpu_dev|\.apicdrivers|\.iommu_table|\.pci_fixup|\.builtin_fw|___srcu_struct_ptrs|__ksym|__export_symbol|\.export_symbol|\.lsm_info|\.early_lsm_info|__governor_thermal_table|__thermal_table|__governor|_thermal|__clk_of_table|__acpi_probe_table|\.printk_index|__bpf_ctx|__earlycon_table|\.ctors|\.init_array|\.tracepoints|__reservedmem|\.kunit_test_suites|\.con_init|\.x86_trampoline|\.acpi_probe|__dl_sched|__idle_sched|__rt_sched|__fair_sched|__stop_sched)/;

export function roleOf(section: Section): SectionRole {
  const { name, flags } = section;
  if (section.type !== SHT.PROGBITS && section.type !== SHT.NOBITS) return "ignored";
  if (name.startsWith(".discard") || name === ".comment" || name.startsWith(".debug") || name.startsWith(".note")) return "ignored";
  if (name === ".orc_unwind" || name === ".orc_header" || tables.some((t) => t.section === name)) return "table";
  if (name === ALT_REPLACEMENT || name === ALT_AUX) return "replacement";
  if (initPrefix.test(name) || name === ".ref.data" || name.startsWith(".init")) return "init";
  if ((flags & SHF.ALLOC) === 0) return declared.test(name) ? "declared" : "ignored";
  if ((flags & SHF.MERGE) !== 0) return "pool";
  if (declared.test(name)) return "declared";
  if ((flags & SHF.EXECINSTR) !== 0) return "text";
  if (name.startsWith(".data..percpu")) return "percpu";
  if (name === ".data.once") return "once";
  if (name === "__dyndbg") return "dyndbg";
  if (name.startsWith(".rodata") || name.startsWith(".data.rel.ro")) return "rodata";
  return (flags & SHF.WRITE) !== 0 ? "data" : "rodata";
}
