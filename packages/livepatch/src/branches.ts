/** Which relocations of code are those of calls and jumps. */
import { R_X86_64, type Relocation, type Section, SHF } from "@suture/elf";

/** Of the field of a call or jump, which is counted from the field's end. */
export const BRANCH_ADDEND = -4;

/** call, jmp and jcc: an instruction with an operand in memory has a ModRM byte before the field, which is none of their opcodes. */
export function isBranch({ data, flags }: Section, { type, offset }: Relocation): boolean {
  if ((flags & SHF.EXECINSTR) === 0 || (type !== R_X86_64.PC32 && type !== R_X86_64.PLT32)) return false;
  const before = data[offset - 1] ?? 0;
  return before === 0xe8 || before === 0xe9 || (data[offset - 2] === 0x0f && (before & 0xf0) === 0x80);
}
