/**
 * Constants that the kernel writes into its code at boot, and that a livepatch comes too late for. Code that is carried reads the variable instead, as the
 * kernel's own modules do: `mov $constant, %reg` becomes `mov variable(%rip), %reg`. Source: arch/x86/include/asm/runtime-const.h.
 */
import { type ElfSymbol, R_X86_64 } from "@suture/elf";
import { bytesOf, type Item, type Ref } from "./items.ts";
import type { Rewritten } from "./run-time-keys.ts";
import type { Entry } from "./tables.ts";
import { CONSTANT_POINTERS } from "./x86-64.ts";

/** What stands in the code until boot. */
const PLACEHOLDER = [0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01];
/** Bytes before the field: REX with W, and B8 to BF for the register. */
const BEFORE = 2;
const NOP3 = [0x0f, 0x1f, 0x00];

/** Whether the place is a `mov` of eight bytes to a register. A shift by a constant has no room for another instruction. */
export function canReadConstant({ owner, at, section }: Entry): boolean {
  const code = bytesOf(owner);
  const [rex = 0, opcode = 0] = [code[at - BEFORE], code[at - 1]];
  return (
    section.name.startsWith(CONSTANT_POINTERS) &&
    (rex & 0xfe) === 0x48 &&
    (opcode & 0xf8) === 0xb8 &&
    PLACEHOLDER.every((byte, i) => code[at + i] === byte)
  );
}

/** The reference to the variable that the carried code has in place of the constant. */
export function constantRef({ at, section }: Entry, variable: (name: string) => Item | ElfSymbol): Ref {
  return {
    at: at - BEFORE + 3,
    type: R_X86_64.PC32,
    to: variable(section.name.slice(CONSTANT_POINTERS.length)),
    addend: -4,
    target: 0,
    branch: false,
    loose: false,
    implied: false,
    weak: undefined,
    fault: undefined,
  };
}

export function readConstants(item: Item, refs: readonly Ref[], constants: readonly { entry: Entry; ref: Ref }[]): Rewritten {
  const bytes = Uint8Array.from(bytesOf(item));
  for (const { entry } of constants) {
    const start = entry.at - BEFORE;
    const [rex = 0, opcode = 0] = [bytes[start], bytes[start + 1]];
    // The register moves from the opcode to the middle of the ModRM byte, and its fourth bit from REX.B to REX.R.
    bytes.set([0x48 | ((rex & 1) << 2), 0x8b, ((opcode & 7) << 3) | 5, 0, 0, 0, 0, ...NOP3], start);
  }
  return { bytes, refs: [...refs, ...constants.map(({ ref }) => ref)].sort((a, b) => a.at - b.at), stubs: [] };
}
