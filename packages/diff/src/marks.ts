/**
 * What the source of a fix says to the differ: macros of kpatch-macros.h and livepatch_helpers.h (packages/livepatch/c/kpatch) leave it in
 * sections of their own. A callback is a pointer to its function, all else is text. kpatch's own header writes the same sections with pointers
 * to functions and strings, and with room beside those of callbacks: objects that were compiled with it are understood too.
 */
import type { ElfSymbol, Relocation, Section } from "@suture/elf";
import { CALLBACKS, type CallbackKind } from "@suture/protocol";
import { fail } from "./errors.ts";
import { bytesOf, type Item, type ItemizedObject, isItem } from "./items.ts";

export interface Marks {
  /** One of a kind. */
  callbacks: ReadonlyMap<CallbackKind, Item>;
  /** KPATCH_IGNORE_SECTION, KPATCH_IGNORE_FUNCTION: not part of the fix. */
  ignoredSections: ReadonlySet<string>;
  ignoredFunctions: ReadonlySet<string>;
  /** KPATCH_FORCE_UNSAFE: functions whose old and new code may run at the same time. */
  unsafe: ReadonlySet<string>;
}

const CALLBACK_SECTION = ".kpatch.callbacks.";
const NAMES = { sections: ".kpatch.ignore.sections", functions: ".kpatch.ignore.functions", unsafe: ".kpatch.force" };

/** @throws DIFF_MARK */
export function marksOf(original: ItemizedObject, patched: ItemizedObject): Marks {
  const marks = {
    callbacks: callbacksOf(patched),
    ignoredSections: namesIn(patched, NAMES.sections),
    ignoredFunctions: namesIn(patched, NAMES.functions),
    unsafe: namesIn(patched, NAMES.unsafe),
  };
  checkNames(marks, original, patched);
  return marks;
}

/** What is named must be there. */
function checkNames({ ignoredSections, ignoredFunctions, unsafe }: Marks, original: ItemizedObject, patched: ItemizedObject): void {
  if (ignoredSections.size + ignoredFunctions.size + unsafe.size === 0) return;
  const { file } = patched.elf;
  const sections = new Set([original, patched].flatMap(({ elf }) => elf.sections.map(({ name }) => name)));
  for (const name of ignoredSections)
    if (!sections.has(name)) throw fail("DIFF_MARK", `KPATCH_IGNORE_SECTION names ${name}, which the object does not have`, { file });
  const functions = new Set<string>();
  for (const { kind, symbols } of original.items) if (kind === "function") for (const { name } of symbols) functions.add(sourceName(name));
  const check = (macro: string, names: ReadonlySet<string>): void => {
    for (const name of names)
      if (!functions.has(name))
        throw fail("DIFF_MARK", `${macro} names ${name}, which the kernel's object does not have as a function`, { file, symbol: name });
  };
  check("KPATCH_IGNORE_FUNCTION", ignoredFunctions);
  check("KPATCH_FORCE_UNSAFE", unsafe);
}

/** The name that the source has; the compiler appends to it. */
export function sourceName(name: string): string {
  return name.replace(/\..*$/, "");
}

function callbacksOf(itemized: ItemizedObject): Map<CallbackKind, Item> {
  const found = new Map<CallbackKind, Item>();
  for (const section of itemized.elf.sections) {
    if (!section.name.startsWith(CALLBACK_SECTION)) continue;
    const where = { file: itemized.elf.file, section: section.name };
    const kind = CALLBACKS.find((name) => section.name === CALLBACK_SECTION + name);
    if (kind === undefined) throw fail("DIFF_MARK", "no callbacks of that kind are known", where);
    for (const relocation of pointersIn(itemized, section)) {
      const { to, target } = itemized.resolve(section, relocation, relocation.offset);
      const at = { ...where, offset: relocation.offset, symbol: to.name };
      if (!isItem(to) || to.kind !== "function" || target !== to.entry)
        throw fail("DIFF_MARK", `the ${kind} callback ${to.name} is not a function of this object`, at);
      if (to.role !== "text") throw fail("DIFF_MARK", `the ${kind} callback ${to.name} is in ${to.section.name}`, at);
      const other = found.get(kind);
      if (other !== undefined && other !== to)
        throw fail("DIFF_MARK", `${other.name} and ${to.name} are both ${kind} callbacks, and only one is called`, at);
      found.set(kind, to);
    }
  }
  return found;
}

/** All that a section holds. @throws DIFF_MARK */
function pointersIn(itemized: ItemizedObject, section: Section): Relocation[] {
  const pointers = itemized.relocations.get(section) ?? [];
  if (pointers.some(({ type }) => type !== itemized.arch.relocations.pointer) || section.data.some((byte) => byte !== 0))
    throw fail("DIFF_MARK", "it holds other things than pointers", { file: itemized.elf.file, section: section.name });
  return pointers;
}

/** Texts that end with a zero byte, or pointers to what is meant. */
function namesIn(itemized: ItemizedObject, name: string): Set<string> {
  const names = new Set<string>();
  for (const section of itemized.elf.sections) {
    if (section.name !== name) continue;
    const where = { file: itemized.elf.file, section: name };
    if (itemized.relocations.get(section) !== undefined) {
      for (const pointer of pointersIn(itemized, section)) names.add(nameAt(itemized.resolve(section, pointer, pointer.offset).to));
      continue;
    }
    const { data } = section;
    for (let at = 0; at < data.length; ) {
      const end = data.indexOf(0, at);
      if (end < 0) throw fail("DIFF_MARK", "a name does not end", { ...where, offset: at });
      names.add(Buffer.from(data.subarray(at, end)).toString("latin1"));
      at = end + 1;
    }
  }
  return names;
}

/** Of a function, or what a string says. */
function nameAt(to: Item | ElfSymbol): string {
  if (!isItem(to) || to.kind === "function") return sourceName(to.name);
  return Buffer.from(bytesOf(to)).toString("latin1").replace(/\0.*$/s, "");
}
