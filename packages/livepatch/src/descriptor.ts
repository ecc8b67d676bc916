/**
 * The data that tells the livepatch core what replaces what: struct klp_patch with its objects, functions, callbacks and states, laid out as
 * the kernel's own types say. The generic entry point in c/ registers it, and code of the patch may name it (PATCH_SYMBOL): klp_get_state()
 * needs it. An object may have callbacks and no functions: the core needs an array of functions, but that may be empty.
 */
import { archOf } from "@suture/arch";
import {
  type ElfObject,
  type ElfSymbol,
  newRelocations,
  newSymbol,
  type Relocation,
  Section,
  SHF,
  SHT,
  STB,
  STT,
  viewOf,
} from "@suture/elf";
import type { Btf } from "@suture/kernel";
import { CALLBACKS, type CallbackKind } from "@suture/protocol";
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
  /** Functions of the patch that the core calls when the object is patched and unpatched. */
  callbacks: Map<CallbackKind, ElfSymbol>;
}

/** What the patch does to the system, so that a later one knows (struct klp_state). */
export interface State {
  /** Not 0, and once in a patch. */
  id: number;
  /** A later patch with replace must know each id, with this version or a higher one. */
  version: number;
}

export interface Descriptor {
  objects: readonly DescribedObject[];
  states: readonly State[];
  /** Whether loading it takes all other livepatches out. */
  replace: boolean;
}

/** The symbol that c/entry.c registers. */
export const PATCH_SYMBOL = "suture_patch";

/** The symbol of what c/entry.c knows the kernel by: struct suture_kernel. */
export const KERNEL_SYMBOL = "suture_kernel";

/** The build-id of a kernel, and where it has it itself: so many bytes behind one of its symbols. */
export interface KernelIdentity {
  bytes: Uint8Array;
  symbol: ElfSymbol;
  offset: number;
}

/** Appends what the kernel is known by when the module is loaded; without it, any is taken. */
export function addKernel(elf: ElfObject, identity: KernelIdentity | undefined): void {
  const { pointer } = archOf(elf).relocations;
  const bytes = identity?.bytes ?? new Uint8Array();
  const data = new Uint8Array(EXPECTED + bytes.length);
  viewOf(data, elf.format.order).setU32(SIZE, bytes.length);
  data.set(bytes, EXPECTED);
  const section = new Section({ name: `.rodata.${KERNEL_SYMBOL}`, type: SHT.PROGBITS, flags: SHF.ALLOC, align: 8, data });
  const relocations = identity === undefined ? [] : [{ offset: 0, type: pointer, symbol: identity.symbol, addend: identity.offset }];
  elf.sections.unshift(section, ...(relocations.length === 0 ? [] : [newRelocations(elf, section, relocations)]));
  elf.symbols.push(newSymbol({ name: KERNEL_SYMBOL, place: section, size: data.length, type: STT.OBJECT, bind: STB.GLOBAL }));
}

/** Members of struct suture_kernel, behind the pointer. */
export const SIZE = 8;
export const EXPECTED = 12;

type Field = { offset: number; size: number };

/** Appends the descriptor to `elf`. Arrays end with an empty entry. @throws KLP_TYPES, KLP_STATE */
export function addDescriptor(elf: ElfObject, { objects, states, replace }: Descriptor, btf: Btf): void {
  const layout = layoutOf(btf);
  checkStates(states);
  const strings = new Strings();
  const objectsSize = (objects.length + 1) * layout.object.size;
  let end = layout.patch.size;
  const take = (size: number): number => {
    const at = align(end);
    end = at + size;
    return at;
  };
  const objectsAt = take(objectsSize);
  const statesAt = states.length === 0 ? undefined : take((states.length + 1) * layout.state.size);
  const functionsAt = objects.map((object) => take((object.functions.length + 1) * layout.func.size));
  const data = new Uint8Array(end);
  const view = viewOf(data, elf.format.order);
  const section = new Section({ name: ".data.suture", type: SHT.PROGBITS, flags: SHF.ALLOC | SHF.WRITE, align: 32, data });
  const self = newSymbol({ name: "", place: section, bind: STB.LOCAL, type: STT.SECTION });
  const module = newSymbol({ name: "__this_module", place: "undef" });
  const relocations: Relocation[] = [];
  const { pointer: whole } = archOf(elf).relocations;
  const pointer = (offset: number, symbol: ElfSymbol, addend = 0): void => {
    relocations.push({ offset, type: whole, symbol, addend });
  };
  pointer(layout.patch.mod.offset, module);
  pointer(layout.patch.objs.offset, self, objectsAt);
  view.setU8(layout.patch.replace.offset, replace ? 1 : 0);
  objects.forEach((object, i) => {
    const at = objectsAt + i * layout.object.size;
    if (object.module !== undefined) pointer(at + layout.object.name.offset, strings.symbol, strings.add(object.module));
    pointer(at + layout.object.funcs.offset, self, functionsAt[i] ?? 0);
    for (const kind of CALLBACKS) {
      const symbol = object.callbacks.get(kind);
      if (symbol !== undefined) pointer(at + layout.object.callbacks.offset + layout.callbacks[kind].offset, symbol);
    }
    object.functions.forEach((func, j) => {
      const funcAt = (functionsAt[i] ?? 0) + j * layout.func.size;
      pointer(funcAt + layout.func.old_name.offset, strings.symbol, strings.add(func.name));
      pointer(funcAt + layout.func.new_func.offset, func.symbol);
      view.setU32(funcAt + layout.func.old_sympos.offset, func.sympos);
    });
  });
  if (statesAt !== undefined) {
    pointer(layout.patch.states.offset, self, statesAt);
    states.forEach(({ id, version }, i) => {
      const at = statesAt + i * layout.state.size;
      view.setU64(at + layout.state.id.offset, BigInt(id));
      view.setU32(at + layout.state.version.offset, version);
    });
  }
  strings.finish();
  relocations.sort((a, b) => a.offset - b.offset);
  const rela = newRelocations(elf, section, relocations);
  elf.sections.unshift(section, rela, strings.section);
  // Code of the patch may have named it already.
  let patch = elf.symbols.find(({ name, place }) => name === PATCH_SYMBOL && place === "undef");
  if (patch === undefined) {
    patch = newSymbol({ name: PATCH_SYMBOL, place: "undef" });
    elf.symbols.push(patch);
  }
  Object.assign(patch, { place: section, size: layout.patch.size, type: STT.OBJECT, bind: STB.GLOBAL });
  // Where each array ends: for who reads the module.
  const array = (name: string, value: number, size: number): ElfSymbol =>
    newSymbol({ name, place: section, value, size, type: STT.OBJECT, bind: STB.LOCAL });
  const arrays = [
    array("suture_objects", objectsAt, objectsSize),
    ...objects.map(({ module = "vmlinux", functions }, i) =>
      array(`suture_functions_${module}`, functionsAt[i] ?? 0, (functions.length + 1) * layout.func.size),
    ),
  ];
  elf.symbols.push(self, strings.symbol, ...arrays, module);
}

/** @throws KLP_STATE */
function checkStates(states: readonly State[]): void {
  const known = new Set<number>();
  for (const { id, version } of states) {
    if (!Number.isSafeInteger(id) || id <= 0 || !Number.isInteger(version) || version < 0 || version > 0xffffffff)
      throw fail("KLP_STATE", `state ${id}, version ${version}: an id is a number from 1, a version one of 32 bits`);
    if (known.has(id)) throw fail("KLP_STATE", `state ${id} is declared twice`);
    known.add(id);
  }
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
    patch: structure(btf, "klp_patch", ["mod", "objs", "states", "replace"]),
    object: structure(btf, "klp_object", ["name", "funcs", "callbacks"]),
    callbacks: structure(btf, "klp_callbacks", CALLBACKS),
    func: structure(btf, "klp_func", ["old_name", "new_func", "old_sympos"]),
    state: structure(btf, "klp_state", ["id", "version"]),
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
