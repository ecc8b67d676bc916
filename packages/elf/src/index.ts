export { firstFrom, relocationsBySection, symbolsBySection } from "./by-section.ts";
export { elfErrors } from "./errors.ts";
export { EM_X86_64, ET, SHF, SHN, SHT, STB, STT } from "./format.ts";
export {
  type ElfObject,
  type ElfSymbol,
  type Group,
  isSection,
  newObject,
  newSymbol,
  type Place,
  type Relocation,
  relocationSections,
  Section,
  type Segment,
} from "./model.ts";
export { readElf } from "./read.ts";
export { type Cursor, defineRecord, type RecordType, viewOf } from "./record.ts";
export { writeElf } from "./write.ts";
export { isBranchField, isPcRelative, R_X86_64, type RelocationKind, relocationKind } from "./x86-64.ts";
