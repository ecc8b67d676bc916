/** A livepatch that is nothing but its manifest: what a repository looks at. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { newObject, Section, SHF, SHT, writeElf } from "@suture/elf";
import { finish } from "@suture/livepatch";
import type { DraftManifest } from "@suture/protocol";
import { draftOf } from "@suture/testkit/manifest";
import { X86_64 } from "@suture/testkit/processor";

export const BUILD_ID = "0123456789abcdef0123456789abcdef01234567";

export function livepatchFile(folder: string, name: string, more: Partial<DraftManifest> = {}): string {
  const modinfo = `license=GPL\0livepatch=Y\0name=${name}\0vermagic=6.1.0-test SMP\0`;
  const object = newObject(`${name}.ko`, X86_64);
  object.sections.unshift(new Section({ name: ".modinfo", type: SHT.PROGBITS, flags: SHF.ALLOC, data: Buffer.from(modinfo) }));
  const draft = draftOf({ name, kernel: { release: "6.1.0-test", buildId: BUILD_ID }, replace: true, ...more });
  const file = join(folder, `${name}.ko`);
  writeFileSync(file, finish(writeElf(object), file, draft, 511).bytes);
  return file;
}
