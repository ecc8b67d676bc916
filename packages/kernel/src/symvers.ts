/** Module.symvers: one exported symbol a line, its parts separated by tabs: CRC, name, module, EXPORT_SYMBOL or EXPORT_SYMBOL_GPL, namespace. */
import { fail } from "./errors.ts";

export interface Export {
  name: string;
  /** Of the symbol's type, unsigned 32 bits; 0 without CONFIG_MODVERSIONS. */
  crc: number;
  /** "vmlinux" or the module's path in the source tree, without suffix. */
  module: string;
  gpl: boolean;
  /** Empty for none. */
  namespace: string;
}

/** @param file the name that errors carry. @throws KERNEL_BAD_SYMVERS */
export function parseSymvers(text: string, file: string): Map<string, Export> {
  const exports = new Map<string, Export>();
  let line = 0;
  for (const written of text.split("\n")) {
    line++;
    if (written === "") continue;
    const match = /^0x([0-9a-fA-F]{1,8})\t([^\t]+)\t([^\t]+)\tEXPORT_SYMBOL(_GPL)?(?:\t([^\t]*))?$/.exec(written);
    const [, crc, name, module, gpl, namespace] = match ?? [];
    if (crc === undefined || name === undefined || module === undefined)
      throw fail("KERNEL_BAD_SYMVERS", `line ${line} is not CRC, name, module and kind: ${written.slice(0, 80)}`, { file });
    if (exports.has(name)) throw fail("KERNEL_BAD_SYMVERS", `line ${line} exports the symbol a second time`, { file, symbol: name });
    exports.set(name, { name, crc: Number.parseInt(crc, 16), module, gpl: gpl !== undefined, namespace: namespace ?? "" });
  }
  return exports;
}
