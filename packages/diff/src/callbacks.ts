/** Functions of a patch that the livepatch core calls when an object of the kernel is patched and unpatched. */
import type { ElfSymbol } from "@suture/elf";

/** The members of struct klp_callbacks, in the order in which they run. The first may refuse. */
export const CALLBACKS = ["pre_patch", "post_patch", "pre_unpatch", "post_unpatch"] as const;

export type CallbackKind = (typeof CALLBACKS)[number];

export interface Callback {
  kind: CallbackKind;
  /** As the source has it. */
  name: string;
  /** Its symbol in `Delta.object`. */
  symbol: ElfSymbol;
}
