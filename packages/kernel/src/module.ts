/** A kernel module's file: .ko, or packed as .ko.xz, .ko.zst or .ko.gz. */
import { basename } from "node:path";
import { archOf } from "@suture/arch";
import { type ElfObject, type ElfSymbol, ET, isSection, readElf, type Section, SHF } from "@suture/elf";
import { compressionOf, sha256 } from "@suture/files";
import type { Task } from "@suture/task";
import { decompress } from "./decompress.ts";
import { fail } from "./errors.ts";
import { readWhole } from "./files.ts";
import { modinfoOf } from "./modinfo.ts";
import { buildIdOf } from "./notes.ts";

/** Large drivers with debug information reach some hundred megabytes. */
const LARGEST_MODULE = 1 << 29;

export class KernelModule {
  /** The path that was opened. */
  readonly file: string;
  /** Of the file as it is on disk, packed or not, hex. */
  readonly sha256: string;
  /** As lsmod shows it: - is written _. */
  readonly name: string;
  readonly elf: ElfObject;
  /** .modinfo: values by key, in file order; alias, parm and import_ns come more than once. */
  readonly modinfo: ReadonlyMap<string, readonly string[]>;
  /** Hex; undefined if the module has none. */
  readonly buildId: string | undefined;
  /** In .symtab order, without the null symbol. */
  readonly symbols: readonly ElfSymbol[];
  #byName: Map<string, ElfSymbol[]> | undefined;

  constructor(file: string, sha256: string, elf: ElfObject) {
    this.file = file;
    this.sha256 = sha256;
    this.elf = elf;
    this.modinfo = modinfoOf(elf);
    if (!elf.sections.some((section) => section.name === ".modinfo"))
      throw fail("KERNEL_BAD_MODULE", "no .modinfo section, a module has one", { file });
    this.buildId = buildIdOf(elf);
    this.symbols = elf.symbols;
    const [name] = this.modinfo.get("name") ?? [];
    this.name =
      name ??
      basename(file)
        .replace(/\.ko(\.\w+)?$/, "")
        .replaceAll("-", "_");
  }

  /** All defined symbols of that name, in .symtab order. */
  named(name: string): readonly ElfSymbol[] {
    if (this.#byName === undefined) {
      this.#byName = new Map();
      for (const symbol of this.symbols) {
        if (symbol.place === "undef" || symbol.name === "") continue;
        const list = this.#byName.get(symbol.name);
        if (list === undefined) this.#byName.set(symbol.name, [symbol]);
        else list.push(symbol);
      }
    }
    return this.#byName.get(name) ?? [];
  }

  /**
   * What a livepatch gives to name exactly this symbol: 0 if its name is unique, else its rank, from 1, in .symtab order. The kernel
   * searches the whole table while the module loads, and later only what stays after init: a symbol that they number differently is refused.
   * @throws KERNEL_SYMPOS_AMBIGUOUS, KERNEL_FOREIGN_SYMBOL
   */
  sympos(symbol: ElfSymbol): number {
    const where = { file: this.file, symbol: symbol.name };
    const loading = this.named(symbol.name);
    const running = loading.filter(staysAfterInit);
    const rank = loading.indexOf(symbol) + 1;
    if (rank === 0) throw fail("KERNEL_FOREIGN_SYMBOL", "is not defined in this module", where);
    const later = running.indexOf(symbol) + 1;
    if (later === 0) throw fail("KERNEL_SYMPOS_AMBIGUOUS", "is gone when the module's init has run", where);
    if (loading.length === 1) return 0;
    if (rank !== later)
      throw fail("KERNEL_SYMPOS_AMBIGUOUS", `is number ${rank} of its name while the module loads and number ${later} afterwards`, where);
    return rank;
  }
}

/** As is_core_symbol() of kernel/module/kallsyms.c decides for a kernel with CONFIG_KALLSYMS_ALL, which livepatching needs. */
function staysAfterInit(symbol: ElfSymbol): boolean {
  return isSection(symbol.place) && (symbol.place.flags & SHF.ALLOC) !== 0 && !isInitSection(symbol.place);
}

function isInitSection(section: Section): boolean {
  return section.name.startsWith(".init");
}

/** @throws KERNEL_BAD_MODULE, ARCH_UNKNOWN, and what reading, unpacking and ELF throw */
export async function openModule(task: Task, path: string): Promise<KernelModule> {
  const packed = await readWhole(path);
  const kind = compressionOf(packed);
  const bytes =
    kind === undefined
      ? packed
      : await decompress(task, kind, { bytes: packed, size: undefined, limit: LARGEST_MODULE, file: path, fileOffset: 0 });
  const elf = readElf(bytes, path);
  if (elf.type !== ET.REL)
    throw fail("KERNEL_BAD_MODULE", `an ELF file of type ${elf.type}, modules have type ${ET.REL}`, { file: path, offset: 16 });
  archOf(elf);
  return new KernelModule(path, sha256(packed), elf);
}
