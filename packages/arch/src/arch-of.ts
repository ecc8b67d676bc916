/** The processors that there are, by what the ELF header says: machine, class and byte order. */
import type { ElfFormat } from "@suture/elf";
import type { Arch } from "./arch.ts";
import { fail } from "./errors.ts";
import { x86_64 } from "./x86-64/x86-64.ts";

export const archs: readonly Arch[] = [x86_64];

interface Header {
  machine: number;
  format: ElfFormat;
}

function find({ machine, format: { bits, order } }: Header): Arch | undefined {
  for (const arch of archs) if (arch.machine === machine && arch.format.bits === bits && arch.format.order === order) return arch;
  return undefined;
}

/** Whether `archOf` knows the processor. */
export function isKnown(header: Header): boolean {
  return find(header) !== undefined;
}

/** That of the machine that this runs on; undefined where nothing is known of it. */
export function archHere(): Arch | undefined {
  return archs.find(({ host }) => host === process.arch);
}

/** The same, for what cannot be done without. @throws ARCH_UNKNOWN */
export function thisArch(): Arch {
  const arch = archHere();
  if (arch === undefined) throw fail("ARCH_UNKNOWN", `this machine's is ${process.arch}`);
  return arch;
}

/** @throws ARCH_UNKNOWN */
export function archOf(header: Header & { file?: string }): Arch {
  const arch = find(header);
  if (arch !== undefined) return arch;
  const { machine, format, file } = header;
  const why = `machine ${machine}, ${format.bits} bit, ${format.order}-endian in the ELF header`;
  throw fail("ARCH_UNKNOWN", why, file === undefined ? {} : { file });
}
