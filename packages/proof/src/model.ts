/** What is asked of the proof, and what it answers. */
import type { TypeLayouts } from "@suture/arch";
import type { ElfObject, ElfSymbol } from "@suture/elf";
import type { KernelImage, KernelModule } from "@suture/kernel";

/** What is known of how the object was built; it is held against what the kernel says of itself to name the cause of a mismatch. */
export interface Built {
  /** First line of `gcc --version`. */
  compiler?: string | undefined;
  /** The version of the assembler, as CONFIG_AS_VERSION has it: 24000 for 2.40. Where it is not known, one before 2.45. */
  assembler?: number | undefined;
  /** The kernel release that the source tree is configured for (UTS_RELEASE). */
  release?: string | undefined;
  /** The version of the source package, as it stands in the kernel's banner. */
  source?: string | undefined;
  /** Options of the source tree that are not as in the kernel's own configuration. */
  options?: readonly string[] | undefined;
}

export interface ProofInput {
  /** Path in the source tree, for reports: fs/pipe.o */
  object: string;
  /** Compiled exactly as the kernel's build does it, after objtool. */
  plain: ElfObject;
  /** The same source with a section for each function and variable; held against the plain one. */
  sections: ElfObject | undefined;
  against: KernelImage | KernelModule;
  /** The kernel's own (BTF). */
  layouts: TypeLayouts;
  built?: Built | undefined;
}

/** Why something is not proven. */
export type Doubt =
  /** The kernel has no symbol of that name. */
  | "absent"
  /** The section has no place at which all of its symbols are the kernel's. */
  | "unplaced"
  /** The kernel has the same in several places. */
  | "ambiguous"
  /** A byte that no relocation covers differs. */
  | "bytes"
  /** A field of a relocation refers to something else. */
  | "reference"
  /** The kernel's own list of relocated fields does not agree. */
  | "relocation"
  /** An entry of a special table differs, is missing or is too many. */
  | "table"
  /** Refers to data that is not proven. */
  | "data"
  /** A part of the function that lies elsewhere (its cold part) is not proven. */
  | "part"
  /** A weak function, and the kernel runs another of the same name. */
  | "overridden"
  /** Something that this proof does not understand. */
  | "unsupported"
  /** The build with sections is not the same as the plain one. */
  | "split";

export interface Mismatch {
  code: Doubt;
  /** The function that it is in, or whose table entry it is; undefined for data. */
  function: string | undefined;
  /** Of the object; a special table's section if the entry is meant. */
  section: string;
  /** Bytes from the section's start. */
  offset: number;
  /** What was found, in words. */
  why: string;
  /** Of the object and of the kernel, from `offset`; undefined where bytes tell nothing. */
  bytes: { object: Uint8Array; kernel: Uint8Array } | undefined;
  /** The instructions of the object and of the kernel that differ, as text; undefined where there are none. */
  instructions(): { object: string; kernel: string } | undefined;
}

export interface FunctionProof {
  name: string;
  /** Of the plain object. */
  section: string;
  /** Bytes from the section's start. */
  offset: number;
  size: number;
  /** Where the kernel has it: bytes from the image's base; in a module, from the start of `kernelSection`. Undefined where no place is known. */
  address: number | undefined;
  /** The section of the image or module that holds it. */
  kernelSection: string | undefined;
  /** Only runs while the kernel boots, the module loads, or it goes: nothing there can be patched. */
  init: boolean;
  proven: boolean;
  /** Why not, the most telling first; empty if it is proven. */
  doubts: { code: Doubt; why: string }[];
}

/** How the livepatch core names a symbol, and where it is. */
export interface Place {
  name: string;
  /** 0 if the name is unique, else the rank from 1 among all symbols of that name. */
  sympos: number;
  /** Bytes from the image's base; in a module, from the start of the section. */
  address: number;
  /** The section of the image or module. */
  section: string;
}

/** Read-only data that has no symbol of its own, as the livepatch core can find it: by a symbol and the distance from there. */
export interface Anchor {
  name: string;
  sympos: number;
  /** Bytes. */
  offset: number;
}

/** A string or constant as an object has it: what it holds, and the form of its section. */
export interface Literal {
  /** A string with its end. */
  bytes: Uint8Array;
  /** Bytes of a character or constant. */
  entsize: number;
  align: number;
  strings: boolean;
}

/** A weak function of the object that is not the one that the kernel runs. */
export interface Overridden {
  name: string;
  /** What the kernel runs instead, in words. */
  by: string;
}

/** The causes that are known to make an object differ from the kernel's code. */
export type CauseKind = "compiler" | "source" | "configuration" | "options" | "context" | "objtool" | "override";

export interface Cause {
  kind: CauseKind;
  why: string;
  /** Shown by facts; otherwise it is the likeliest by what differs. */
  certain: boolean;
}

export interface ObjectProof {
  object: string;
  /** Every function of the plain object, by section and offset. */
  functions: FunctionProof[];
  mismatches: Mismatch[];
  overridden: Overridden[];
  /** The likeliest first; empty if there is no mismatch. */
  causes: Cause[];
  /** Every function and all data that stay after boot are proven, but for overridden functions. */
  complete: boolean;
  /** Whether the function of that symbol, of either build, is proven. False for what is no function of the object. */
  proven(symbol: ElfSymbol | string): boolean;
  /**
   * Where the kernel has a function or variable that the object (either build) defines; undefined if that is not proven.
   * @throws KERNEL_SYMPOS_AMBIGUOUS for a module's symbol that cannot be named
   */
  place(symbol: ElfSymbol): Place | undefined;
  /**
   * Where the kernel has what the object's code refers to and the linker may have merged, or a read-only variable of the object by its symbol.
   * Undefined if that is not proven, or cannot be reached.
   */
  anchor(what: Literal | ElfSymbol): Anchor | undefined;
}
