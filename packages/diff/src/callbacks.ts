/** Functions of a patch that the livepatch core calls when an object of the kernel is patched and unpatched. */
import type { ElfSymbol } from "@suture/elf";
import type { CallbackKind } from "@suture/protocol";

export interface Callback {
  kind: CallbackKind;
  /** As the source has it. */
  name: string;
  /** Its symbol in `Delta.object`. */
  symbol: ElfSymbol;
}
