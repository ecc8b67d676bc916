/**
 * The data that tells the livepatch core what replaces what: struct klp_patch with its objects and functions, laid out as the kernel's own
 * types say. The generic entry point in c/ registers it.
 */
import { type ElfObject, type ElfSymbol, newSymbol, R_X86_64, type Relocation, Section, SHF, SHT, STB, STT, viewOf } from "@suture/elf";
import type { Btf } from "@suture/kernel";
import { fail } from "./errors.ts";

export interface DescribedFunction {
  /** The kernel's name for it. */
  name: string;
  sympos: number;
  /** The replacement. */
  symbol: ElfSymbol;
}

export interface DescribedObject {
  /** Undefined for vmlinux. */
  module: string | undefined;
  functions: DescribedFunction[];
}

/** The symbol that c/entry.c registers. */
export const PATCH_SYMBOL = "suture_patch";

type Field = { offset: number; size: number };

/** Appends the descriptor to `elf`. Arrays end with an empty entry. */
export function addDescriptor(elf: ElfObject, objects: DescribedObject[], replace: boolean, btf: Btf): void {
  const layout = layoutOf(btf);
  const strings = new Strings();
  const patchSize = layout.patch.size;
  const objectsAt = align(patchSize);
  let end = objectsAt + (objects.length + 1) * layout.object.size;
  const functionsAt = objects.map((object) => {
    const at = align(end);
    end = at + (object.functions.length + 1) * layout.func.size;
    return at;
  });
  const data = new Uint8Array(end);
  const view = viewOf(data);
  const section = new Section({ name: ".data.suture", type: SHT.PROGBITS, flags: SHF.ALLOC | SHF.WRITE, align: 32, data });
  const self = newSymbol({ name: "", place: section, bind: STB.LOCAL, type: STT.SECTION });
  const module = newSymbol({ name: "__this_module", place: "undef" });
  const relocations: Relocation[] = [];
  const pointer = (offset: number, symbol: ElfSymbol, addend = 0): void => {
    relocations.push({ offset, type: R_X86_64[64], symbol, addend });
  };
  pointer(layout.patch.mod.offset, module);
  pointer(layout.patch.objs.offset, self, objectsAt);
  view.setUint8(layout.patch.replace.offset, replace ? 1 : 0);
  objects.forEach((object, i) => {
    const at = objectsAt + i * layout.object.size;
    if (object.module !== undefined) pointer(at + layout.object.name.offset, strings.symbol, strings.add(object.module));
    pointer(at + layout.object.funcs.offset, self, functionsAt[i] ?? 0);
    object.functions.forEach((func, j) => {
      const funcAt = (functionsAt[i] ?? 0) + j * layout.func.size;
      pointer(funcAt + layout.func.old_name.offset, strings.symbol, strings.add(func.name));
      pointer(funcAt + layout.func.new_func.offset, func.symbol);
      view.setUint32(funcAt + layout.func.old_sympos.offset, func.sympos, true);
    });
  });
  strings.finish();
  relocations.sort((a, b) => a.offset - b.offset);
  const rela = new Section({
    name: `.rela${section.name}`,
    type: SHT.RELA,
    flags: SHF.INFO_LINK,
    align: 8,
    entsize: 24,
    target: section,
    link: elf.symtab,
    relocations,
  });
  elf.sections.unshift(section, rela, strings.section);
  const patch = newSymbol({ name: PATCH_SYMBOL, place: section, size: patchSize, type: STT.OBJECT, bind: STB.GLOBAL });
  elf.symbols.push(self, strings.symbol, patch, module);
}

function align(offset: number): number {
  return Math.ceil(offset / 16) * 16;
}

class Strings {
  readonly section = new Section({ name: ".rodata.suture", type: SHT.PROGBITS, flags: SHF.ALLOC });
  readonly symbol = newSymbol({ name: "", place: this.section, bind: STB.LOCAL, type: STT.SECTION });
  readonly #known = new Map<string, number>();
  #text = "";

  add(name: string): number {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const offset = this.#text.length;
    this.#text += `${name}\0`;
    this.#known.set(name, offset);
    return offset;
  }

  finish(): void {
    this.section.data = Buffer.from(this.#text, "latin1");
  }
}

function layoutOf(btf: Btf) {
  return {
    patch: structure(btf, "klp_patch", ["mod", "objs", "replace"]),
    object: structure(btf, "klp_object", ["name", "funcs"]),
    func: structure(btf, "klp_func", ["old_name", "new_func", "old_sympos"]),
  };
}

function structure<M extends string>(btf: Btf, name: string, wanted: readonly M[]): { size: number } & Record<M, Field> {
  const size = btf.structSize(name);
  const members = btf.members(name);
  if (size === undefined || members === undefined) throw fail("KLP_TYPES", `the kernel's types have no struct ${name}`, { symbol: name });
  const fields = wanted.map((member): [M, Field] => {
    const field = members.find((m) => m.name === member);
    if (field === undefined) throw fail("KLP_TYPES", `struct ${name} has no member ${member}`, { symbol: name });
    return [member, { offset: field.offset, size: field.size }];
  });
  return { size, ...Object.fromEntries(fields) } as { size: number } & Record<M, Field>;
}
