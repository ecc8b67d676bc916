/**
 * The last gate: nothing in the finished module may be left to chance. Every relocation is one that the module loader can apply to a symbol
 * that it can find, or a well-formed one for the livepatch core; the kernel would load a module that misses one, and then crash in it.
 */
import { archOf } from "@suture/arch";
import { type ElfObject, isSection, R_NONE, readElf, SHF, SHN, SHT, viewOf } from "@suture/elf";
import { modinfoOf } from "@suture/kernel";
import { BRANCH_ADDEND, isBranch } from "./branches.ts";
import { ReachedByDistance, verifyDistances } from "./by-distance.ts";
import { fail } from "./errors.ts";
import { isKlpSymbol, parseKlpSection, parseKlpSymbol } from "./names.ts";
import { readDescriptor } from "./read-descriptor.ts";
import type { KernelView } from "./resolve.ts";

/** @param linked what it was made of. @throws KLP_BAD_MODULE, KLP_NOT_LIVEPATCH */
export function verify(bytes: Uint8Array, linked: Uint8Array, file: string, release: string, kernel: KernelView): void {
  const elf = readElf(bytes, file);
  checkForm(elf);
  const info = modinfoOf(elf);
  const vermagic = info.get("vermagic")?.[0] ?? "";
  if (vermagic.split(" ")[0] !== release)
    throw fail("KLP_BAD_MODULE", `it is for ${vermagic.split(" ")[0]}, not for ${release}`, { file, section: ".modinfo" });
  for (const symbol of elf.symbols) {
    if (symbol.place === "common") throw fail("KLP_BAD_MODULE", "a common symbol has no place in a module", { file, symbol: symbol.name });
    if (symbol.place === "undef" && symbol.name !== "") checkImport(elf, symbol.name, kernel);
    if (symbol.place === "livepatch") checkKlpSymbol(elf, symbol.name, kernel);
  }
  checkVersions(elf, kernel);
  checkDescriptor(elf);
  verifyDistances(elf, readElf(linked, file), kernel);
}

/** What it registers can be read, and the livepatch core will take it. */
function checkDescriptor(elf: ElfObject): void {
  const { file } = elf;
  const descriptor = readDescriptor(elf);
  if (descriptor === undefined || descriptor.objects.length === 0)
    throw fail("KLP_BAD_MODULE", "it registers nothing with the livepatch core", { file });
  const names = descriptor.objects.map(({ name }) => name);
  for (const { name, functions, callbacks } of descriptor.objects) {
    if (names.indexOf(name) !== names.lastIndexOf(name)) throw fail("KLP_BAD_MODULE", `it has ${name} twice`, { file });
    if (functions.length === 0 && callbacks.length === 0) throw fail("KLP_BAD_MODULE", `it does nothing to ${name}`, { file });
  }
}

/** What can be checked without the kernel: the form of the livepatch itself. */
export function checkForm(elf: ElfObject): void {
  const { file } = elf;
  if (modinfoOf(elf).get("livepatch")?.[0] !== "Y") throw fail("KLP_NOT_LIVEPATCH", "its .modinfo does not say livepatch=Y", { file });
  const reached = new ReachedByDistance(elf);
  const { relocations: kinds, tables } = archOf(elf);
  for (const table of elf.sections) {
    if (table.type !== SHT.RELA || table.target === undefined) continue;
    const klp = (table.flags & SHF.RELA_LIVEPATCH) !== 0;
    const named = parseKlpSection(table.name);
    const where = { file, section: table.name };
    if (klp !== (named !== undefined)) throw fail("KLP_BAD_MODULE", "its name and its flags disagree about the livepatch core", where);
    if (klp && (table.flags & SHF.ALLOC) === 0) throw fail("KLP_BAD_MODULE", "livepatch relocations are not allocated", where);
    if (named !== undefined && named.section !== table.target.name)
      throw fail("KLP_BAD_MODULE", `it applies to ${table.target.name}`, where);
    if (named !== undefined && named.object !== "vmlinux" && tables.early.includes(table.target.name))
      throw fail("KLP_BAD_MODULE", `${table.target.name} is read before ${named.object} may be loaded`, where);
    // Sections that are not loaded (notes of tools, debug information) are not relocated by the kernel.
    if ((table.target.flags & SHF.ALLOC) === 0) continue;
    for (const relocation of table.relocations) {
      const { symbol } = relocation;
      const wrong = (why: string): Error => fail("KLP_BAD_MODULE", why, { ...where, symbol: symbol?.name, offset: relocation.offset });
      if (!(relocation.type === R_NONE || kinds.loadable.has(relocation.type)))
        throw wrong(`the kernel does not apply relocations of type ${kinds.kind(relocation.type)?.name ?? relocation.type}`);
      if (relocation.type === R_NONE) continue;
      if (symbol === undefined) throw wrong("a relocation has no symbol");
      if (klp !== (symbol.place === "livepatch"))
        throw wrong(klp ? "the livepatch core cannot find this symbol" : "the module loader cannot find this symbol");
      if (named !== undefined && named.object === "vmlinux" && parseKlpSymbol(symbol.name)?.object !== "vmlinux")
        throw wrong("the symbol belongs to another object than the relocations");
      const exact = klp ? relocation.addend === BRANCH_ADDEND : reached.isEntry(relocation);
      if (!exact && isBranch(elf, table.target, relocation)) throw wrong("it jumps to a place beside the one that the symbol names");
      if (isSection(symbol.place) && (symbol.place.flags & SHF.ALLOC) === 0)
        throw wrong(`it refers to ${symbol.place.name}, which is not loaded`);
    }
  }
}

function checkImport(elf: ElfObject, name: string, kernel: KernelView): void {
  const where = { file: elf.file, symbol: name };
  if (isKlpSymbol(name)) throw fail("KLP_BAD_MODULE", "a livepatch symbol was left to the module loader", where);
  const exported = kernel.exports.get(name);
  if (exported === undefined) throw fail("KLP_BAD_MODULE", "no part of the kernel exports it", where);
  if (exported.module !== "vmlinux") throw fail("KLP_BAD_MODULE", `it is exported by ${exported.module}, which may not be loaded`, where);
}

function checkKlpSymbol(elf: ElfObject, name: string, kernel: KernelView): void {
  const where = { file: elf.file, symbol: name };
  const klp = parseKlpSymbol(name);
  if (klp === undefined)
    throw fail("KLP_BAD_MODULE", `section index ${SHN.LIVEPATCH} on a name that the livepatch core cannot read`, where);
  if (klp.object !== "vmlinux") return;
  const count = kernel.symbols.named(klp.name).length;
  if (klp.sympos === 0 ? count !== 1 : klp.sympos > count)
    throw fail("KLP_BAD_MODULE", `the kernel has ${count} symbols of that name, place ${klp.sympos} is asked for`, where);
}

/** struct modversion_info: the CRC as unsigned long and the name, 64 bytes in all. */
const VERSION_SIZE = 64;

function checkVersions(elf: ElfObject, kernel: KernelView): void {
  const section = elf.sections.find((s) => s.name === "__versions");
  if (section === undefined) return;
  const view = viewOf(section.data, elf.format.order);
  for (let at = 0; at + VERSION_SIZE <= section.size; at += VERSION_SIZE) {
    const bytes = section.data.subarray(at + 8, at + VERSION_SIZE);
    const end = bytes.indexOf(0);
    const name = Buffer.from(bytes.subarray(0, end < 0 ? bytes.length : end)).toString("latin1");
    const exported = kernel.exports.get(name);
    if (name !== "module_layout" && exported === undefined) continue;
    if (exported !== undefined && exported.crc !== view.u32(at))
      throw fail("KLP_BAD_MODULE", `its version of ${name} is not the kernel's`, { file: elf.file, section: "__versions", symbol: name });
  }
}
