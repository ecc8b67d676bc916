/**
 * What a livepatch module registers, read back from the file: ours, and those that others built. It is found by its form, without the kernel's
 * types: the members that a module fills in have been the first ones of their structures, in this order, since Linux 5.5.
 *
 *     klp_patch    mod objs states replace       klp_object   name funcs, and the four callbacks
 *     klp_state    id version data               klp_func     old_name new_func old_sympos
 */
import { archOf } from "@suture/arch";
import {
  type ByteOrder,
  type ElfObject,
  type ElfSymbol,
  isSection,
  type Relocation,
  relocationSections,
  type Section,
  SHF,
  STT,
  viewOf,
} from "@suture/elf";
import { CALLBACKS, type CallbackKind } from "@suture/protocol";
import type { State } from "./descriptor.ts";

export interface Replacement {
  /** Of the kernel. */
  name: string;
  sympos: number;
  /** Its name in the module. */
  replacement: string;
  size: number;
}

export interface ReadObject {
  /** "vmlinux" or a module. */
  name: string;
  functions: Replacement[];
  callbacks: { kind: CallbackKind; name: string }[];
}

export interface ReadDescriptor {
  replace: boolean;
  states: State[];
  objects: ReadObject[];
}

const WORD = 8;
const STATE_SIZE = 24;

/** A place in a section of the module. */
interface Spot {
  section: Section;
  offset: number;
}

/** Undefined where the module has no such data. The data may be anyone's: what does not fit is left out. */
export function readDescriptor(elf: ElfObject): ReadDescriptor | undefined {
  const data = new Data(elf);
  const patch = data.patch();
  const objects = patch === undefined ? undefined : data.target(patch, WORD);
  if (patch === undefined || objects === undefined) return undefined;
  const states = data.target(patch, 2 * WORD);
  return {
    replace: (patch.section.data[patch.offset + 3 * WORD] ?? 0) !== 0,
    states: states === undefined ? [] : readStates(states, elf.format.order),
    objects: data.objects(objects),
  };
}

function readStates({ section, offset }: Spot, order: ByteOrder): State[] {
  const view = viewOf(section.data, order);
  const states: State[] = [];
  for (let at = offset; at + STATE_SIZE <= view.length; at += STATE_SIZE) {
    const id = Number(view.u64(at));
    if (id === 0) break;
    states.push({ id, version: view.u32(at + WORD) });
  }
  return states;
}

class Data {
  readonly #elf: ElfObject;
  /** Of functions, by the section that holds them. */
  readonly #functionsIn = new Map<Section, Map<number, ElfSymbol>>();
  /** Of each writable section the pointers that the module loader fills in, by offset. */
  readonly #pointers = new Map<Section, Map<number, Relocation>>();

  constructor(elf: ElfObject) {
    this.#elf = elf;
    const { pointer: whole } = archOf(elf).relocations;
    for (const symbol of elf.symbols) {
      if (symbol.type !== STT.FUNC || !isSection(symbol.place)) continue;
      const known = this.#functionsIn.get(symbol.place);
      if (known === undefined) this.#functionsIn.set(symbol.place, new Map([[symbol.value, symbol]]));
      else if (!known.has(symbol.value)) known.set(symbol.value, symbol);
    }
    for (const [section, tables] of relocationSections(elf)) {
      if ((section.flags & SHF.WRITE) === 0 || (section.flags & SHF.EXECINSTR) !== 0) continue;
      const pointers = tables.flatMap(({ relocations }) => relocations.filter(({ type }) => type === whole));
      this.#pointers.set(section, new Map(pointers.map((pointer) => [pointer.offset, pointer])));
    }
  }

  /** The one structure that begins with a pointer to the module itself and then one to writable data. */
  patch(): Spot | undefined {
    for (const [section, pointers] of this.#pointers)
      for (const [offset, { symbol }] of pointers) {
        if (symbol?.name !== "__this_module") continue;
        const spot = { section, offset };
        if (this.#isData(this.target(spot, WORD))) return spot;
      }
    return undefined;
  }

  /** Where the pointer at `spot` leads, within the module. */
  target({ section, offset }: Spot, more = 0): Spot | undefined {
    const pointer = this.#pointers.get(section)?.get(offset + more);
    const { symbol } = pointer ?? {};
    if (pointer === undefined || symbol === undefined || !isSection(symbol.place)) return undefined;
    return { section: symbol.place, offset: symbol.value + pointer.addend };
  }

  /** Each has a pointer to its functions; between two are members that the core uses, which hold no pointers. */
  objects(first: Spot): ReadObject[] {
    const objects: ReadObject[] = [];
    for (const spot of this.#rows(first, 2 + CALLBACKS.length, (at) => (this.#isData(this.target(at)) ? -WORD : 0))) {
      const object = this.#object(spot);
      if (object === undefined) break;
      objects.push(object);
    }
    return objects;
  }

  /**
   * The rows of an array. Its symbol says where it ends; how large a row is is seen where the second begins.
   * @param words at the start of a row that may be pointers
   * @param back from the first pointer of a row to its start
   */
  *#rows({ section, offset }: Spot, words: number, back: (first: Spot) => number): Generator<Spot> {
    const array = this.#elf.symbols.find(
      ({ place, type, value, size }) => type === STT.OBJECT && place === section && value <= offset && offset < value + size,
    );
    const end = array === undefined ? section.data.length : array.value + array.size;
    const pointers = this.#pointers.get(section)?.keys() ?? [];
    const next = [...pointers].filter((at) => at >= offset + words * WORD && at < end).reduce((a, b) => Math.min(a, b), end);
    const stride = next === end ? end - offset : next + back({ section, offset: next }) - offset;
    for (let at = offset; at + words * WORD <= end; at += stride) yield { section, offset: at };
  }

  #object(spot: Spot): ReadObject | undefined {
    const functions = this.target(spot, WORD);
    if (!this.#isData(functions)) return undefined;
    const name = this.target(spot);
    const module = name === undefined ? undefined : stringAt(name);
    if (name !== undefined && module === undefined) return undefined;
    return {
      name: module ?? "vmlinux",
      functions: this.#functions(functions),
      callbacks: CALLBACKS.flatMap((kind, i) => {
        const callback = this.#function(spot, (2 + i) * WORD);
        return callback === undefined ? [] : [{ kind, name: callback.name }];
      }),
    };
  }

  #functions(first: Spot): Replacement[] {
    const found: Replacement[] = [];
    for (const spot of this.#rows(first, 3, () => 0)) {
      const name = this.target(spot);
      const text = name === undefined ? undefined : stringAt(name);
      const code = this.#function(spot, WORD);
      if (text === undefined || code === undefined) break;
      const sympos = viewOf(spot.section.data, this.#elf.format.order).u32(spot.offset + 2 * WORD);
      found.push({ name: text, sympos, replacement: code.name, size: code.size });
    }
    return found;
  }

  #function(spot: Spot, more: number): ElfSymbol | undefined {
    const to = this.target(spot, more);
    if (to === undefined || (to.section.flags & SHF.EXECINSTR) === 0) return undefined;
    return this.#functionsIn.get(to.section)?.get(to.offset);
  }

  #isData(spot: Spot | undefined): spot is Spot {
    return spot !== undefined && (spot.section.flags & SHF.WRITE) !== 0 && (spot.section.flags & SHF.EXECINSTR) === 0;
  }
}

/** Of a name in read-only data: of a function, or of a module, which may start with a digit (8021q). */
function stringAt({ section, offset }: Spot): string | undefined {
  if ((section.flags & (SHF.WRITE | SHF.EXECINSTR)) !== 0 || offset < 0 || offset >= section.data.length) return undefined;
  const end = section.data.indexOf(0, offset);
  const text = end < 0 ? "" : Buffer.from(section.data.subarray(offset, end)).toString("latin1");
  return /^\w[\w.$-]*$/.test(text) ? text : undefined;
}
