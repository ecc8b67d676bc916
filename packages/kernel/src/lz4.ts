/**
 * LZ4 in its legacy frame, which `lz4 -l` writes for kernels: a magic number, then blocks, each a 32-bit packed length and that many bytes,
 * which unpack to at most 8 MiB on their own. Source: lz4 frame and block format descriptions (lz4_Frame_format.md, "Legacy frame").
 */
import { viewOf } from "@suture/elf";
import { fail } from "./errors.ts";

export const LZ4_LEGACY_MAGIC = 0x184c2102;
const BLOCK_MAX = 8 << 20;

/**
 * @param size bytes that the frame must unpack to
 * @param fileOffset of `bytes` in `file`, for errors
 */
export function unpackLz4(bytes: Uint8Array, size: number, file: string, fileOffset: number): Uint8Array {
  const view = viewOf(bytes, "little");
  const out = Buffer.allocUnsafeSlow(size);
  let at = 0;
  let written = 0;
  while (at < bytes.length) {
    const where = { file, offset: fileOffset + at };
    if (at + 4 > bytes.length) throw fail("KERNEL_BAD_PAYLOAD", "an LZ4 block has no whole length word", where);
    const length = view.u32(at);
    at += 4;
    // Frames may follow each other; each starts with the magic number.
    if (length === LZ4_LEGACY_MAGIC) continue;
    if (length > bytes.length - at)
      throw fail("KERNEL_BAD_PAYLOAD", `an LZ4 block of ${length} bytes reaches past the payload's end`, where);
    const end = unpackBlock(bytes.subarray(at, at + length), out, written, Math.min(size, written + BLOCK_MAX));
    if (end < 0) throw fail("KERNEL_BAD_PAYLOAD", `the LZ4 block of ${length} bytes is damaged`, where);
    written = end;
    at += length;
  }
  if (written !== size)
    throw fail("KERNEL_BAD_PAYLOAD", `unpacks to ${written} bytes, the file gives ${size}`, { file, offset: fileOffset });
  return out;
}

/** Unpacks one block to `out` from `start` on; returns where it ended, or -1 if it is damaged or would pass `limit`. */
function unpackBlock(src: Uint8Array, out: Uint8Array, start: number, limit: number): number {
  let at = 0;
  let to = start;
  const srcEnd = src.length;
  while (at < srcEnd) {
    const token = src[at++] as number;
    let literals = token >> 4;
    if (literals === 15) {
      let more: number;
      do {
        if (at >= srcEnd) return -1;
        more = src[at++] as number;
        literals += more;
      } while (more === 255);
    }
    if (literals > srcEnd - at || literals > limit - to) return -1;
    if (literals > 32) out.set(src.subarray(at, at + literals), to);
    else for (let i = 0; i < literals; i++) out[to + i] = src[at + i] as number;
    at += literals;
    to += literals;
    // The last sequence of a block is literals alone.
    if (at === srcEnd) return to;
    if (at + 2 > srcEnd) return -1;
    const distance = (src[at] as number) | ((src[at + 1] as number) << 8);
    at += 2;
    let length = (token & 15) + 4;
    if (length === 19) {
      let more: number;
      do {
        if (at >= srcEnd) return -1;
        more = src[at++] as number;
        length += more;
      } while (more === 255);
    }
    const from = to - distance;
    if (distance === 0 || from < start || length > limit - to) return -1;
    if (distance === 1) out.fill(out[from] as number, to, to + length);
    else if (distance >= length && length > 64) out.copyWithin(to, from, from + length);
    else for (let i = 0; i < length; i++) out[to + i] = out[from + i] as number;
    to += length;
  }
  return -1;
}
