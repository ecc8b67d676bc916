/** The kernel's own notes (/sys/kernel/notes): an ELF note section. Format: System V ABI, chapter 5. */
import { ownOrder, viewOf } from "@suture/elf";

const NT_GNU_BUILD_ID = 3;
const HEADER_SIZE = 12;

/** @returns the build-id in hex, if there is one. */
export function readNotes(bytes: Uint8Array): { buildId: string | undefined } {
  const view = viewOf(bytes, ownOrder);
  let offset = 0;
  while (offset + HEADER_SIZE <= bytes.length) {
    const [nameSize, descSize, type] = [0, 4, 8].map((at) => view.u32(offset + at)) as [number, number, number];
    const desc = offset + HEADER_SIZE + align(nameSize);
    const end = desc + align(descSize);
    if (desc + descSize > bytes.length) break;
    const name = Buffer.from(bytes.subarray(offset + HEADER_SIZE, offset + HEADER_SIZE + nameSize)).toString("latin1");
    if (type === NT_GNU_BUILD_ID && name === "GNU\0")
      return { buildId: Buffer.from(bytes.subarray(desc, desc + descSize)).toString("hex") };
    offset = end;
  }
  return { buildId: undefined };
}

function align(size: number): number {
  return Math.ceil(size / 4) * 4;
}
