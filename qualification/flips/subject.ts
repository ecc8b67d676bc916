/** An object whose functions are proven, in both builds, and the kernel's code that it is held against. */
import { type ElfObject, isSection, readElf, relocationsBySection, type Section, STT } from "@suture/elf";
import { SutureError } from "@suture/errors";
import { compile, type KernelContext } from "@suture/kbuild";
import type { KernelImage, KernelModule } from "@suture/kernel";
import { type FunctionProof, type ObjectProof, proveObject } from "@suture/proof";
import type { Task } from "@suture/task";

export interface Subject {
  sections: ElfObject;
  plain: ElfObject;
  functions: readonly FunctionProof[];
  /** Bytes of an entry, by the table's section. */
  entrySize(table: string): number | undefined;
  /** Whether the function, or any if none is named, is not proven now. */
  fails(name?: string): boolean;
  /** Flips a bit that the kernel has of a function. @returns what undoes that; undefined where the byte means nothing */
  flipKernel(f: FunctionProof, at: number, bit: number): (() => void) | undefined;
}

const STRUCTS: Record<string, string> = { __jump_table: "jump_entry", ".static_call_sites": "static_call_site", __bug_table: "bug_entry" };

/** Undefined if nothing of the object is proven, or no function stays. */
export async function subjectOf(task: Task, kernel: KernelContext, object: string): Promise<Subject | undefined> {
  const owner = kernel.commands.ownerOf(object);
  if (owner === undefined || (owner !== "vmlinux" && !kernel.hasModule(owner))) return undefined;
  const command = kernel.commands.of(object);
  const plain = readElf((await compile(task, command, "plain", kernel.original)).bytes, object);
  const sections = readElf((await compile(task, command, "sections", kernel.original)).bytes, object);
  const module = owner === "vmlinux" ? undefined : await kernel.module(task, owner);
  const { layouts, image } = kernel;
  const prove = (): ObjectProof => proveObject({ object, plain, sections, against: module ?? image, layouts });
  const functions = prove().functions.filter((f) => f.proven && !f.init && f.size > 0 && f.address !== undefined);
  if (functions.length === 0) return undefined;
  return {
    plain,
    sections,
    functions,
    entrySize: (table) => layouts.size(STRUCTS[table] ?? ""),
    fails(name) {
      try {
        const proof = prove();
        return name === undefined ? functions.some((f) => !proof.proven(f.name)) : !proof.proven(name);
      } catch (error) {
        if (error instanceof SutureError) return true;
        throw error;
      }
    },
    flipKernel: (f, at, bit) => (module === undefined ? flipImage(image, (f.address ?? 0) + at, bit) : flipModule(module, f, at, bit)),
  };
}

function flipImage(image: KernelImage, at: number, bit: number): () => void {
  const read = image.read.bind(image);
  image.read = (address, length) => {
    const bytes = read(address, length);
    if (bytes === undefined || at < address || at >= address + length) return bytes;
    const copy = Uint8Array.from(bytes);
    copy[at - address] = (copy[at - address] ?? 0) ^ (1 << bit);
    return copy;
  };
  return () => {
    image.read = read;
  };
}

function flipModule({ elf, symbols }: KernelModule, f: FunctionProof, at: number, bit: number): (() => void) | undefined {
  const symbol = symbols.find(({ name, value, size }) => name === f.name && value === f.address && size === f.size);
  const section = symbol !== undefined && isSection(symbol.place) ? symbol.place : undefined;
  return section === undefined ? undefined : flipByte(elf, section, (f.address ?? 0) + at, bit);
}

/** Undefined for a byte that a relocation fills in. */
export function flipByte(elf: ElfObject, section: Section, at: number, bit: number): (() => void) | undefined {
  if (fieldsOf(elf, section).has(at)) return undefined;
  const byte = section.data[at];
  if (byte === undefined) return undefined;
  section.data[at] = byte ^ (1 << bit);
  return () => {
    section.data[at] = byte;
  };
}

const fields = new WeakMap<Section, Set<number>>();

function fieldsOf(elf: ElfObject, section: Section): Set<number> {
  const known = fields.get(section);
  if (known !== undefined) return known;
  const made = new Set<number>();
  // Fields of code are of four bytes, or of eight where they hold an address.
  for (const { offset, type } of relocationsBySection(elf).get(section) ?? [])
    for (let i = 0; i < (type === 1 ? 8 : 4); i++) made.add(offset + i);
  fields.set(section, made);
  return made;
}

/** Where the build with sections has a function. */
export function placeIn(elf: ElfObject, name: string): { section: Section; start: number; size: number } | undefined {
  const found = elf.symbols.find((one) => one.name === name && one.type === STT.FUNC && isSection(one.place));
  return found !== undefined && isSection(found.place) ? { section: found.place, start: found.value, size: found.size } : undefined;
}
