/**
 * kallsyms_seqs_of_names: the symbols' numbers in order of their names, three bytes each, the highest first. Kernels that have it look
 * names up by it, and so count same-named symbols by it; it is held against the order in which Suture counts them.
 */
import { fail } from "./errors.ts";
import type { DecodedNames } from "./kallsyms-names.ts";

/** @throws KERNEL_BAD_KALLSYMS */
export function checkOrder(data: Uint8Array, at: number, { names, nameStarts }: DecodedNames, file: string, section: string): void {
  const count = nameStarts.length - 1;
  const text = Buffer.from(names.buffer, names.byteOffset, names.byteLength);
  const seen = new Uint8Array(count);
  let before = 0;
  for (let i = 0; i < count; i++) {
    const offset = at + 3 * i;
    const where = { file, section, offset };
    const symbol = ((data[offset] as number) << 16) | ((data[offset + 1] as number) << 8) | (data[offset + 2] as number);
    if (symbol >= count || seen[symbol] === 1)
      throw fail("KERNEL_BAD_KALLSYMS", `the order of names counts symbol ${symbol} of ${count} twice or is cut off`, where);
    seen[symbol] = 1;
    if (i > 0) {
      const order = text.compare(text, nameStarts[symbol], nameStarts[symbol + 1], nameStarts[before], nameStarts[before + 1]);
      // 1: the name of `symbol` comes before that of `before`.
      if (order > 0 || (order === 0 && symbol < before))
        throw fail(
          "KERNEL_BAD_KALLSYMS",
          `the kernel orders its symbols ${before} and ${symbol} in another way than by name and address`,
          where,
        );
    }
    before = symbol;
  }
}
