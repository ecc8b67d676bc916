/** What is known of a processor, behind one interface. README.md says what a second one has to bring. */
import type { ElfFormat } from "@suture/elf";
import type { Code } from "./code.ts";
import type { Relocations } from "./relocations.ts";
import type { Rewrite } from "./rewrite.ts";
import type { Tables } from "./tables.ts";

export interface Arch {
  /** In words, for messages. */
  name: string;
  /** EM_* of its objects. */
  machine: number;
  /** Their class and byte order: a processor that has several is several here. */
  format: ElfFormat;
  relocations: Relocations;
  code: Code;
  tables: Tables;
  /** Code that the kernel fills in at boot, or switches by keys that a livepatch cannot reach. */
  rewrite: Rewrite;
  ftrace: {
    /** The section that lists the calls that ftrace can redirect. */
    sites: string;
    /** What these calls call. */
    callee: string;
    /** From the function's first byte to the field of the call that it begins with; undefined where it does not begin with one. */
    callField(code: Uint8Array, entry: number): number | undefined;
  };
  kbuild: {
    /** What `make` is told with ARCH=, and the folder of arch/ that its sources are in. */
    arch: string;
    /** The image that a kernel's build makes, from the tree's root. */
    image: string;
    /** Of `ld`, for relocatable output. */
    linker: readonly string[];
    /** The option of a kernel for this processor. */
    option: string;
  };
}
