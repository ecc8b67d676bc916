export { firstFrom, relocationsBySection, symbolsBySection } from "./by-section.ts";
export { elfErrors } from "./errors.ts";
export { ET, R_NONE, SHF, SHN, SHT, STB, STT } from "./format.ts";
export {
  type ElfObject,
  type ElfSymbol,
  type Group,
  isSection,
  newObject,
  newRelocations,
  newSymbol,
  type Place,
  type Relocation,
  type RelocationKind,
  relocationSections,
  Section,
  type Segment,
} from "./model.ts";
export { readElf } from "./read.ts";
export { type Cursor, defineRecord, type RecordType } from "./record.ts";
export { type ByteOrder, type ByteView, type ElfFormat, ownOrder, viewOf } from "./view.ts";
export { writeElf } from "./write.ts";
