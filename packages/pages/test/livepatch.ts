/** A livepatch module whose manifest says whatever a test puts there: pages show it, nobody loads it. */
import { newObject, newSymbol, Section, SHF, SHT, STB, STT, writeElf } from "@suture/elf";
import type { Manifest } from "@suture/protocol";
import { draftOf } from "@suture/testkit/manifest";
import { X86_64 } from "@suture/testkit/processor";

export function manifestOf(more: Partial<Manifest>): Manifest {
  return { ...draftOf({ proof: { proven: true, functions: 3 } }), contents: "00", ...more };
}

/** @param code of its only function, `name` */
export function moduleWith(manifest: Manifest | undefined, name = "f", code: Uint8Array = Uint8Array.of(0xc3)): Uint8Array {
  const elf = newObject("test.ko", X86_64);
  const text = new Section({ name: ".text", type: SHT.PROGBITS, flags: SHF.ALLOC | SHF.EXECINSTR, data: code });
  const info = "license=GPL\0livepatch=Y\0name=test\0vermagic=6.1.0-test SMP \0";
  elf.sections.push(text, new Section({ name: ".modinfo", type: SHT.PROGBITS, flags: SHF.ALLOC, data: Buffer.from(info) }));
  if (manifest !== undefined)
    elf.sections.push(new Section({ name: ".suture", type: SHT.PROGBITS, data: Buffer.from(JSON.stringify(manifest)) }));
  elf.symbols.push(newSymbol({ name, place: text, size: code.length, bind: STB.GLOBAL, type: STT.FUNC }));
  return writeElf(elf);
}
