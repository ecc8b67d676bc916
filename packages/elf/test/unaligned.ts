/** An object as assemblers write it that align contents in memory only: binutils as of 2.44, LLVM. */
import { recordsOf, SHT } from "../src/format.ts";
import { viewOf as viewOfOrder } from "../src/view.ts";

const { Ehdr, Shdr } = recordsOf({ bits: 64, order: "little" });
const viewOf = (bytes: Uint8Array) => viewOfOrder(bytes, "little");

/** The same object, its contents one after the other, `gap` bytes between them. */
export function unaligned(bytes: Uint8Array, gap: number): Uint8Array {
  const header = Ehdr.cursor(viewOf(bytes));
  const count = header.e_shnum;
  const shoff = header.e_shoff;
  const table = bytes.slice(shoff, shoff + count * Shdr.size);
  const parts: Uint8Array[] = [bytes.slice(0, Ehdr.size)];
  let end = Ehdr.size;
  const put = (part: Uint8Array): number => {
    parts.push(new Uint8Array(gap), part);
    end += gap + part.length;
    return end - part.length;
  };
  const c = Shdr.cursor(viewOf(table));
  const contents = Array.from({ length: count - 1 }, (_, i) => (i + 1) * Shdr.size);
  const offsetOf = (at: number): number => {
    c.at = at;
    return c.sh_offset;
  };
  for (const at of contents.sort((a, b) => offsetOf(a) - offsetOf(b))) {
    c.at = at;
    if (c.sh_type === SHT.NOBITS || c.sh_size === 0) c.sh_offset = end;
    else c.sh_offset = put(bytes.slice(c.sh_offset, c.sh_offset + c.sh_size));
  }
  const moved = put(table);
  const out = Uint8Array.from(Buffer.concat(parts));
  Ehdr.cursor(viewOf(out)).e_shoff = moved;
  return out;
}
