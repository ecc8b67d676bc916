/** The processors that there are, by the number in the ELF header. */
import type { Arch } from "./arch.ts";
import { fail } from "./errors.ts";
import { x86_64 } from "./x86-64/x86-64.ts";

const known: readonly Arch[] = [x86_64];

export function isKnownMachine(machine: number): boolean {
  return known.some((arch) => arch.machine === machine);
}

/** @throws ARCH_UNKNOWN */
export function archOf({ machine, file }: { machine: number; file?: string }): Arch {
  for (const arch of known) if (arch.machine === machine) return arch;
  throw fail("ARCH_UNKNOWN", `machine ${machine} of the ELF header`, file === undefined ? {} : { file });
}
