/** A kernel that can be built for: where its parts are on this machine. What a provider makes and the pipeline works on. */
import type { Arch } from "@suture/arch";
import type { TargetInput } from "@suture/protocol";

export interface Target {
  /** What `uname -r` says on it. */
  release: string;
  /** The processor that it is for. */
  arch: Arch;
  /** Path of vmlinuz. */
  image: string;
  /** lib/modules/RELEASE with the .ko files. */
  modules: string | undefined;
  /** A source tree that is ready to compile single objects. Shared: it is never changed. */
  tree: string;
  /** The arguments that make takes in the tree before its goals. */
  make: readonly string[];
  /**
   * What `make -n -k V=1 MAKE... vmlinux modules` prints in the tree, packed by gzip, where it was asked for already. Asking takes ten seconds.
   */
  dryRun: string | undefined;
  /** The version of the source package, as the kernel's banner has it; undefined where the tree is no package's. */
  source: string | undefined;
  /** The compiler's program, e.g. gcc-NN, or its path. */
  compiler: string;
  /** The linker's program, or its path. */
  linker: string;
  /** Path of the Module.symvers of vmlinux and its modules. */
  symvers: string;
  /** Path of the configuration (.config). */
  config: string;
  /** Options that the kernel's own configuration, where there is one beside the image, has otherwise. */
  otherOptions?: readonly string[];
  /** In a fixed order. */
  inputs: readonly TargetInput[];
}
