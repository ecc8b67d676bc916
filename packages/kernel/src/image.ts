/** A kernel's image as the proof and the linker ask for it. Made by `openImage`. */
import type { Arch, Relocated } from "@suture/arch";
import { type AddressSpace, type KernelAddress, offsetBy } from "./address.ts";
import { Btf } from "./btf.ts";
import { fail } from "./errors.ts";
import type { ImageLayout, ImageSection, PerCpuArea } from "./layout.ts";
import { firstNotBelow, holds, RELOCATED, type RelocationTable } from "./relocation-table.ts";
import type { Storage } from "./storage.ts";
import { type SymbolArrays, SymbolTable } from "./symbols.ts";

/** What is decoded of an image, and what the cache keeps of it besides the bytes. */
export interface ImageParts {
  arch: Arch;
  release: string;
  banner: string;
  /** Hex. */
  buildId: string;
  layout: ImageLayout;
  /** Undefined for an uncompressed vmlinux and for kernels that cannot be moved, which have no such table. */
  relocations: RelocationTable | undefined;
  symbols: SymbolArrays;
  /** Addresses of kallsyms' own tables by name. */
  kallsyms: Readonly<Record<string, KernelAddress>>;
}

/** A table that the linker script encloses in two symbols. */
export interface MarkedTable {
  /** Of the first byte. */
  address: KernelAddress;
  bytes: Uint8Array;
}

/** What encloses the notes that the kernel shows as /sys/kernel/notes. */
const NOTES = { start: "__start_notes", stop: "__stop_notes" };

export class KernelImage {
  /** The path that was opened. */
  readonly file: string;
  /** Of the whole file, hex. */
  readonly sha256: string;
  /** The processor that it is for. */
  readonly arch: Arch;
  /** What `uname -r` says. */
  readonly release: string;
  /** The text of /proc/version: release, builder, compiler, version. */
  readonly banner: string;
  /** Hex. */
  readonly buildId: string;
  readonly space: AddressSpace;
  /** Sections that are in memory at run time, as their addresses are ranked: the per-cpu section, linked at 0, comes first. */
  readonly sections: readonly ImageSection[];
  /** Where the per-cpu section is at boot, for kernels that link it at address 0. */
  readonly perCpu: PerCpuArea | undefined;
  readonly symbols: SymbolTable;
  /** Addresses of the tables that `symbols` was read from, by their names, which are not in it: kallsyms_names and the like. */
  readonly kallsyms: ReadonlyMap<string, KernelAddress>;
  readonly #layout: ImageLayout;
  readonly #relocations: RelocationTable | undefined;
  readonly #storage: Storage;
  #btf: Btf | undefined;

  constructor(file: string, sha256: string, parts: ImageParts, storage: Storage) {
    this.file = file;
    this.sha256 = sha256;
    this.arch = parts.arch;
    this.release = parts.release;
    this.banner = parts.banner;
    this.buildId = parts.buildId;
    this.space = parts.layout.space;
    this.sections = parts.layout.sections;
    this.perCpu = parts.layout.perCpu;
    this.symbols = new SymbolTable(parts.symbols, parts.layout.space);
    this.kallsyms = new Map(Object.entries(parts.kallsyms));
    this.#layout = parts.layout;
    this.#relocations = parts.relocations;
    this.#storage = storage;
  }

  /** Type information, or undefined if the kernel has none. Read when first asked for. @throws KERNEL_BAD_BTF */
  get btf(): Btf | undefined {
    const section = this.#btfSection;
    if (this.#btf === undefined && section !== undefined) this.#btf = new Btf(this.#storage.read(section.offset, section.size), this.file);
    return this.#btf;
  }

  get hasBtf(): boolean {
    return this.#btfSection !== undefined;
  }

  get #btfSection(): ImageSection | undefined {
    return this.sections.find((s) => s.name === ".BTF" && !s.nobits);
  }

  /** Where the kernel's own build-id is in memory: so many bytes behind the symbol with which its notes begin. Undefined where that is not certain. */
  get buildIdPlace(): { bytes: Uint8Array; symbol: string; offset: number } | undefined {
    const [start, stop] = [NOTES.start, NOTES.stop].map((name) => this.symbols.named(name));
    const [from, to] = [start?.[0], stop?.[0]];
    if (from === undefined || to === undefined || start?.length !== 1 || stop?.length !== 1) return undefined;
    const bytes = Buffer.from(this.buildId, "hex");
    const offset = Buffer.from(this.read(from.address, to.address - from.address) ?? []).indexOf(bytes);
    return offset < 0 || bytes.length === 0 ? undefined : { bytes, symbol: from.name, offset };
  }

  /** The section that holds the address. Addresses inside of the per-cpu area at boot are those of the per-cpu section. */
  sectionAt(address: KernelAddress): ImageSection | undefined {
    return this.#layout.sectionAt(this.#layout.linked(address));
  }

  /**
   * Bytes as they are in the file: nothing is patched yet, relocated or randomized. Zeros for NOBITS; undefined if the range is not inside
   * of one section. Not to be written to.
   */
  read(address: KernelAddress, length: number): Uint8Array | undefined {
    const linked = this.#layout.linked(address);
    const section = this.#layout.sectionAt(linked);
    if (section === undefined || length < 0) return undefined;
    const offset = linked - section.address;
    if (length > section.size - offset) return undefined;
    return section.nobits ? new Uint8Array(length) : this.#storage.read(section.offset + offset, length);
  }

  /** Whether the image has a relocation table; without one `relocated` knows nothing. */
  get hasRelocations(): boolean {
    return this.#relocations !== undefined;
  }

  /** How the kernel's own relocation table treats the field at the address; undefined if it leaves it alone. */
  relocated(address: KernelAddress): Relocated | undefined {
    const table = this.#relocations;
    if (table === undefined) return undefined;
    const booted = this.#layout.booted(address);
    return RELOCATED.find((kind) => holds(table[kind], booted));
  }

  /** All fields of the relocation table with start <= address < end, by address. The range lies inside of one section. */
  relocationsIn(start: KernelAddress, end: KernelAddress): { address: KernelAddress; kind: Relocated }[] {
    const found: { address: KernelAddress; kind: Relocated }[] = [];
    if (this.#relocations === undefined) return found;
    const booted = this.#layout.booted(start);
    for (const kind of RELOCATED) {
      const group = this.#relocations[kind];
      for (let i = firstNotBelow(group, booted); i < group.length && (group[i] as number) < booted + (end - start); i++)
        found.push({ address: offsetBy(start, (group[i] as number) - booted), kind });
    }
    return found.sort((a, b) => a.address - b.address);
  }

  /**
   * The table between two symbols, e.g. `__start___jump_table` and `__stop___jump_table`; undefined if the kernel has neither.
   * @throws KERNEL_BAD_TABLE if they enclose no part of one section
   */
  table(startName: string, stopName: string): MarkedTable | undefined {
    const [start, ...moreStarts] = this.symbols.named(startName);
    const [stop, ...moreStops] = this.symbols.named(stopName);
    if (start === undefined && stop === undefined) return undefined;
    if (start === undefined || stop === undefined || moreStarts.length > 0 || moreStops.length > 0)
      throw fail("KERNEL_BAD_TABLE", `${startName} and ${stopName} are not both there once`, { file: this.file, symbol: startName });
    const bytes = this.read(start.address, stop.address - start.address);
    if (bytes === undefined)
      throw fail(
        "KERNEL_BAD_TABLE",
        `from ${this.space.hex(start.address)} to ${stopName} at ${this.space.hex(stop.address)} is no part of one section`,
        {
          file: this.file,
          symbol: startName,
        },
      );
    return { address: start.address, bytes };
  }

  /** Closes the cache file. What was not read by then cannot be read any more. */
  close(): void {
    this.#storage.close();
  }
}
