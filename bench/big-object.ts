/** Objects of any size out of the kernel's own: linked together, with names of their own for each, as if they were one source file. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ElfObject, isSection, readElf, SHF, STB, STT, writeElf } from "@suture/elf";

/** Links the objects. Those that come more than once are copies with other names. */
export function linkTogether(objects: readonly Uint8Array[], folder: string, name: string): string {
  const files = objects.map((bytes, i) => {
    const elf = readElf(bytes, `${i}.o`);
    rename(elf, i);
    const file = join(folder, `${name}-${i}.o`);
    writeFileSync(file, writeElf(elf));
    return file;
  });
  const out = join(folder, `${name}.o`);
  writeFileSync(join(folder, `${name}.list`), files.join("\n"));
  const { status, stderr } = spawnSync("ld", ["-r", "-o", out, `@${join(folder, `${name}.list`)}`], { encoding: "utf8" });
  if (status !== 0) throw new Error(`ld ended with ${status}: ${stderr}`);
  return out;
}

/** What the compiler and macros name by the dozen keeps its name, and what the kernel collects by its section's name, its section. */
const COMMON =
  /^(__func__|__FUNCTION__|__PRETTY_FUNCTION__|CSWTCH|descriptor|_rs|__key|__warned|__already_done|__print_once|__UNIQUE_ID_|\.L)/;

function rename(elf: ElfObject, number: number): void {
  const renamed = new Set<string>();
  for (const symbol of elf.symbols) {
    const { place, type, name } = symbol;
    if (!isSection(place) || (place.flags & SHF.ALLOC) === 0) continue;
    // Only one of the copies could be weak or global.
    if (symbol.bind === STB.WEAK) symbol.bind = STB.GLOBAL;
    if (type === STT.SECTION || type === STT.FILE || name === "" || (symbol.bind === STB.LOCAL && COMMON.test(name))) continue;
    renamed.add(name);
    symbol.name = withNumber(name, number);
  }
  for (const section of elf.sections) {
    const [, start, name] = /^((?:\.rela)?\.(?:text(?:\.unlikely)?|data|bss|rodata)\.)([A-Za-z_].*)$/.exec(section.name) ?? [];
    if (start !== undefined && name !== undefined && renamed.has(name)) section.name = start + withNumber(name, number);
  }
}

/** `foo.isra.0` → `foo_o7.isra.0`; the padding before a function is called after it. */
function withNumber(name: string, number: number): string {
  const dot = name.indexOf(".");
  return dot < 0 ? `${name}_o${number}` : `${name.slice(0, dot)}_o${number}${name.slice(dot)}`;
}
