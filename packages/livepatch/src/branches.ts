/** Which relocations of code are those of calls and jumps. */
import { archOf } from "@suture/arch";
import { type ElfObject, type Relocation, type Section, SHF } from "@suture/elf";

/** Of the field of a call or jump, which is counted from the field's end. */
export const BRANCH_ADDEND = -4;

/** A call, jump or conditional jump. */
export function isBranch(elf: ElfObject, { data, flags }: Section, { type, offset }: Relocation): boolean {
  const arch = archOf(elf);
  return (flags & SHF.EXECINSTR) !== 0 && arch.relocations.isNear(type) && arch.code.isBranchField(data, offset);
}
