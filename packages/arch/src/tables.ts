/** What the kernel's own types say. Sizes in bytes; undefined if the kernel has no such structure. */
export interface TypeLayouts {
  size(struct: string): number | undefined;
  /** Byte offset and size of a member. */
  member(struct: string, name: string): { offset: number; size: number } | undefined;
}

/**
 * A special section is a table of entries that begin with a pointer to the code that they are about. `size` names what gives an entry's size:
 * a structure of the kernel (looked up in the kernel's own types) or a number where the entry is a bare pointer.
 */
export interface SpecialTable {
  section: string;
  /** Symbols that the linker script encloses it in, where it does. */
  start: string;
  stop: string;
  /** Type of the relocation in the first field. */
  pointer: number;
  size: { struct: string } | number;
  /** Whether entries of a changed function are compared too: what they say is behaviour. Undefined: nothing of the table is carried. */
  compared?: boolean;
  /** A field that says nothing about behaviour: the line that a warning names, of a function that is the same but for its place. */
  noise?: string;
  /** Bytes of an entry that mean something, where the last one may end with them: the assembler aligns only what follows. */
  used?: number;
  /** Field that says how many bytes of code an entry is about, where that is more than one instruction. */
  covers?: string;
  /** Code hands the addresses of its own entries on, as warnings do. */
  handedOn?: boolean;
  /** A second table, entry for entry beside this one. */
  beside?: { section: string; start: string; stop: string; struct: string };
  /** Field that points at the static key or static call that switches the code. */
  key?: string;
  /** Entries are places in code that are filled in at boot, with what the section's name says. */
  constant?: boolean;
  /** Field of the entry that points at replacement code, and the fields that say how long it is. */
  replacement?: { field: string; length: string };
  /**
   * An entry holds up to the next one: one that says again what the entry before it says may be missing, as where objtool sees several objects
   * at once. Each section of an object ends its entries with one for the byte after it, which is about nothing.
   */
  ranges?: boolean;
  /** An entry says that no code refers to an address, as far as objtool sees: the kernel, seen as a whole, may lack it. */
  unreferenced?: boolean;
}

/**
 * How many entries of `entry` bytes a table of `size` bytes has, of which the last may end with what means something; undefined if they are not
 * whole.
 */
export function entryCount(size: number, entry: number, { used }: Pick<SpecialTable, "used">): number | undefined {
  const rest = size % entry;
  return rest === 0 || (used !== undefined && rest >= used) ? Math.ceil(size / entry) : undefined;
}

/** How the entries of a structure lie in some kernels. */
export interface EntryShape {
  size: number;
  /** Of each field that a relocation may fill in: byte offset → size. The first says which code the entry belongs to. */
  pointers: Readonly<Record<number, number>>;
  /** Each entry has all of them. */
  filled?: boolean;
  members?: Readonly<Record<string, { offset: number; size: number }>>;
}

export interface Tables {
  /** In the order in which a livepatch has them. */
  all: readonly SpecialTable[];
  /** Those that a livepatch can have. */
  carried: readonly SpecialTable[];
  /** By the structure of the entries, where no types say it. */
  shapes: Readonly<Record<string, readonly EntryShape[]>>;
  /** Read before a module of its own can be relocated: only what vmlinux has can be named in them. */
  early: readonly string[];
  /** Branches on static keys. */
  jumps: string;
  /** Starts of the names of sections that list places in code that the kernel fills in at boot. */
  constants: readonly string[];
  /** Such a section as a table. */
  constantTable(section: string): SpecialTable;
  /** Replacement instructions: pieces of code that entries point into. */
  replacements: string;
  /** Code without symbols that is jumped into from elsewhere and jumps back. */
  outOfLine: readonly string[];
  /** Tables for tools and for the boot alone: of each role, names in which a star stands for any characters. */
  sections: { ignored: readonly string[]; init: readonly string[]; declared: readonly string[]; table: readonly string[] };
  /** Not in the running kernel though flagged as if, or only for the tools of the build. */
  isBuildOnly(section: string): boolean;
}
