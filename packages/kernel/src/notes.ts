/** ELF notes: { namesz, descsz, type } as 32-bit words, the name and the descriptor, each padded to 4 bytes. Source: System V ABI, chapter 5. */
import { type ByteOrder, type ElfObject, SHT, viewOf } from "@suture/elf";
import { fail } from "./errors.ts";

const NT_GNU_BUILD_ID = 3;
/** SHA-1 is what ld makes by default; no hash in use is longer than 64 bytes. */
const LONGEST_ID = 64;

interface Note {
  name: string;
  type: number;
  descriptor: Uint8Array;
}

/** The build-id in hex, or undefined if no note section holds one. */
export function buildIdOf(elf: ElfObject): string | undefined {
  for (const section of elf.sections) {
    if (section.type !== SHT.NOTE) continue;
    const note = readNotes(section.data, elf.format.order, elf.file, section.name).find(
      (n) => n.name === "GNU" && n.type === NT_GNU_BUILD_ID,
    );
    if (note === undefined) continue;
    if (note.descriptor.length === 0 || note.descriptor.length > LONGEST_ID)
      throw fail("KERNEL_BAD_NOTE", `a build-id of ${note.descriptor.length} bytes`, { file: elf.file, section: section.name });
    return Buffer.from(note.descriptor).toString("hex");
  }
  return undefined;
}

export function readNotes(data: Uint8Array, order: ByteOrder, file: string, section: string): Note[] {
  const view = viewOf(data, order);
  const notes: Note[] = [];
  for (let at = 0; at < data.length; ) {
    const where = { file, section, offset: at };
    if (data.length - at < 12) throw fail("KERNEL_BAD_NOTE", `${data.length - at} bytes are no note header`, where);
    const nameSize = view.u32(at);
    const nameEnd = at + 12 + nameSize;
    const start = pad4(nameEnd);
    const end = start + view.u32(at + 4);
    if (end > data.length) throw fail("KERNEL_BAD_NOTE", `the note reaches to ${end}, the section has ${data.length} bytes`, where);
    // The size of the name counts its NUL.
    const name = Buffer.from(data.subarray(at + 12, Math.max(at + 12, nameEnd - 1))).toString("latin1");
    notes.push({ name, type: view.u32(at + 8), descriptor: data.subarray(start, end) });
    at = pad4(end);
  }
  return notes;
}

function pad4(value: number): number {
  return Math.ceil(value / 4) * 4;
}
