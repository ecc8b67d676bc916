/** The .modinfo section: NUL-ended "key=value" texts, with more NULs between them for alignment. */
import type { ElfObject } from "@suture/elf";
import { fail } from "./errors.ts";

/** Values by key, in file order; none if there is no such section. @throws KERNEL_BAD_MODULE */
export function modinfoOf(elf: ElfObject): Map<string, readonly string[]> {
  const sections = elf.sections.filter((section) => section.name === ".modinfo");
  const [section] = sections;
  if (sections.length > 1) throw fail("KERNEL_BAD_MODULE", `${sections.length} .modinfo sections, a module has one`, { file: elf.file });
  if (section === undefined) return new Map();
  const found = new Map<string, string[]>();
  const { data } = section;
  for (let at = 0; at < data.length; ) {
    const end = data.indexOf(0, at);
    const where = { file: elf.file, section: section.name, offset: at };
    if (end < 0) throw fail("KERNEL_BAD_MODULE", "the last text does not end", where);
    if (end > at) {
      const text = Buffer.from(data.subarray(at, end)).toString("utf8");
      const equals = text.indexOf("=");
      if (equals < 1) throw fail("KERNEL_BAD_MODULE", `"${text.slice(0, 80)}" is not key=value`, where);
      const key = text.slice(0, equals);
      const values = found.get(key);
      if (values === undefined) found.set(key, [text.slice(equals + 1)]);
      else values.push(text.slice(equals + 1));
    }
    at = end + 1;
  }
  return found;
}
