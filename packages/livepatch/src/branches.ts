/** Which relocations of code are those of calls and jumps. */
import { isBranchField, R_X86_64, type Relocation, type Section, SHF } from "@suture/elf";

/** Of the field of a call or jump, which is counted from the field's end. */
export const BRANCH_ADDEND = -4;

/** call, jmp and jcc: an instruction with an operand in memory has a ModRM byte before the field, which is none of their opcodes. */
export function isBranch({ data, flags }: Section, { type, offset }: Relocation): boolean {
  return (flags & SHF.EXECINSTR) !== 0 && (type === R_X86_64.PC32 || type === R_X86_64.PLT32) && isBranchField(data, offset);
}
