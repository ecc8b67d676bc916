/** What is known of a processor, behind one interface. README.md says what a second one has to bring. */
import type { ElfFormat } from "@suture/elf";
import type { Code } from "./code.ts";
import type { Image } from "./image.ts";
import type { LogWords } from "./log-words.ts";
import type { Qemu } from "./qemu.ts";
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
  /** What node calls the processor of a machine that has it (process.arch). */
  host: string;
  debian: {
    /** What Debian calls it, in the names of packages. */
    name: string;
    /** GNU's name for it, which programs that make code for it begin with, and the folder of its libraries. */
    triplet: string;
    /** The package of those programs. */
    binutils: string;
    /** What loads programs for it, in a folder lib64. */
    loader: string;
  };
  relocations: Relocations;
  code: Code;
  tables: Tables;
  image: Image;
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
    /** What `make` is told with ARCH=. */
    arch: string;
    /** Where its sources are, from the tree's root. */
    folder: string;
    /** The image that a kernel's build makes, from the tree's root. */
    image: string;
    /** Of `ld`, for relocatable output. */
    linker: readonly string[];
    /** The option of a kernel for this processor. */
    option: string;
    /** Options, one of which makes traces of stacks reliable. */
    reliableStacks: readonly string[];
    /** The folder of the code that starts the kernel, which is over when the kernel runs. */
    boot: string;
    /** Folders whose objects are programs of their own, beside the kernel or before it. */
    programs: readonly string[];
    /** Programs of its build that work on what is linked, and read no source. */
    linkTools: readonly string[];
    /** Headers of its special tables' entries that only it has. */
    headers: readonly string[];
    /** How names of functions begin that SYSCALL_DEFINE makes: that which the kernel enters, and others beside it. */
    systemCalls: { entry: string; others: readonly string[] };
  };
  qemu: Qemu;
  log: LogWords;
}
