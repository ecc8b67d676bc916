/** Writes LZ4's legacy frame from sequences, and tells what they unpack to. */
import { Bytes } from "@suture/testkit/bytes";

/** Literals, then a match of `length` (at least 4) bytes from `distance` back. */
export interface Sequence {
  literals: Uint8Array;
  distance: number;
  length: number;
}

export interface Block {
  sequences: readonly Sequence[];
  last: Uint8Array;
}

export function buildLz4(blocks: readonly Block[]): { packed: Uint8Array; plain: Uint8Array } {
  const packed = new Bytes().u32(0x184c2102);
  const plain: number[] = [];
  for (const { sequences, last } of blocks) {
    const block = new Bytes();
    const start = plain.length;
    for (const { literals, distance, length } of sequences) {
      plain.push(...literals);
      // A match reaches back to the start of its block at most; with nothing there it is left out.
      const back = Math.min(distance, plain.length - start);
      if (back === 0) {
        plain.length -= literals.length;
        continue;
      }
      block.put([(Math.min(literals.length, 15) << 4) | Math.min(length - 4, 15)]);
      more(block, literals.length);
      block.put(literals).u16(back);
      more(block, length - 4);
      for (let i = 0; i < length; i++) plain.push(plain[plain.length - back] as number);
    }
    block.put([Math.min(last.length, 15) << 4]);
    more(block, last.length);
    block.put(last);
    plain.push(...last);
    packed.u32(block.length).put(block.done());
  }
  return { packed: packed.done(), plain: Uint8Array.from(plain) };
}

function more(block: Bytes, value: number): void {
  if (value < 15) return;
  let left = value - 15;
  for (; left >= 255; left -= 255) block.put([255]);
  block.put([left]);
}
