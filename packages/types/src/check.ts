/**
 * Whether a patch changes what the running kernel's data mean: how structures lie in memory, what enumerators stand for, of which type variables are.
 * That data were made by code that knows the old ones. Compared is what the compiler wrote of both builds: BTF for what has a name, DWARF for the rest.
 */
import { type External, stem } from "@suture/diff";
import { type ElfObject, isSection, SHF, STT } from "@suture/elf";
import type { SutureError, Where } from "@suture/errors";
import type { Btf, BtfLayout } from "@suture/kernel";
import { layoutDifference, sameShape, sameShapeInKernel, variableDifference } from "./difference.ts";
import { DwarfTypes, type Enumeration } from "./dwarf.ts";
import { enumeratorDifferences, renumbered } from "./enumerators.ts";
import { fail } from "./errors.ts";
import { type Holes, inPadding, notHeld } from "./holes.ts";
import { objectTypes } from "./object-types.ts";

/** What may be otherwise than before: somebody knows that no data of the old kind are met by the new code. By the names that refusals give. */
export type Accepted = ReadonlySet<string>;

/** Structures that both builds have and that lie otherwise, with how. @throws KERNEL_BAD_BTF, BUILD_BAD_DWARF */
export function layoutDifferences(original: ElfObject, patched: ElfObject): Map<string, string> {
  const differ = new Map<string, string>();
  if (sameBtf(original, patched)) return differ;
  const [before, after] = [objectTypes(original), objectTypes(patched)];
  if (before === undefined || after === undefined) return differ;
  for (const name of before.compositeNames) {
    const why = layoutDifference(before.layouts(name), after.layouts(name), sameShape);
    if (why !== undefined) differ.set(name, why);
  }
  return differ;
}

/** Structures of which no object of the old layout is met by the new code, and of all others that were looked at what stands in the way of that. */
export interface OnStacks {
  has: (name: string) => boolean;
  ground: string | undefined;
}

/**
 * What is refused is told of all types; of those that differ and have such a one in them, of the inner ones only.
 * @returns what differs in those that are accepted, and what differs and does no harm. @throws BUILD_LAYOUT, BUILD_RENUMBERED, BUILD_BAD_DWARF
 */
export function checkLayouts(
  original: ElfObject,
  patched: ElfObject,
  accepted: Accepted,
  { stacks, holes }: { stacks?: OnStacks; holes?: Holes } = {},
): string[] {
  const notes = new Set<string>();
  const refusals: SutureError[] = [];
  const { file } = patched;
  const refused = new Map<string, string>();
  const padded = new Map<string, string[]>();
  for (const [name, why] of layoutDifferences(original, patched)) {
    if (isAccepted(accepted, name)) notes.add(`${name} ${why}, which was accepted`);
    else if (stacks?.has(name) !== true) {
      const added = addedInPadding(original, patched, name);
      const hole = added === undefined ? why : notHeld(original, name, added, holes?.get(name) ?? new Set());
      if (hole === undefined) continue;
      refused.set(name, hole);
      if (added !== undefined)
        padded.set(
          name,
          added.map((member) => `${name}.${member.name}`),
        );
    }
  }
  const before = refused.size === 0 ? undefined : objectTypes(original);
  const ground =
    stacks?.ground === undefined ? "" : `; it does not live on the stacks of replaced functions only, as far as is seen: ${stacks.ground}`;
  for (const [name, why] of refused)
    if (before !== undefined && !holdsOneOf(before.layouts(name), refused, name))
      refusals.push(fail("BUILD_LAYOUT", `${name} ${why}${ground}`, { file, symbol: name }, mendFor(name, padded.get(name))));
  for (const { accept, why, harmless } of enumeratorDifferences(enumerationsOf(original), enumerationsOf(patched))) {
    if (harmless) notes.add(why);
    else if (accept.some((name) => isAccepted(accepted, name))) notes.add(`${why}, which was accepted`);
    else refusals.push(renumbered(why, accept[0] ?? "", { file }));
  }
  const [first, ...others] = refusals;
  if (first !== undefined) throw others.length === 0 ? first : first.with(others);
  return [...notes];
}

function addedInPadding(original: ElfObject, patched: ElfObject, name: string): ReturnType<typeof inPadding> {
  const [before, after] = [objectTypes(original), objectTypes(patched)];
  return before === undefined || after === undefined ? undefined : inPadding(before.layouts(name), after.layouts(name));
}

/** Where not one type is otherwise, as with most fixes of a function's body, the compiler writes the same bytes. */
function sameBtf(original: ElfObject, patched: ElfObject): boolean {
  const [before, after] = [original, patched].map((elf) => elf.sections.find(({ name }) => name === ".BTF")?.data);
  return before !== undefined && after !== undefined && Buffer.compare(before, after) === 0;
}

/** Whether there is an object of one of some types in another. */
function holdsOneOf(layouts: readonly BtfLayout[], names: ReadonlyMap<string, unknown>, own: string): boolean {
  return layouts.some(({ members }) =>
    members.some(({ shape }) => {
      const inner = /^(?:struct|union) (\w+)(?:\[\d*\])*$/.exec(shape)?.[1];
      return inner !== undefined && inner !== own && names.has(inner);
    }),
  );
}

/**
 * Variables of the kernel that carried code uses, by the types of both builds.
 * @throws BUILD_LAYOUT, BUILD_FOLDED, BUILD_BAD_DWARF
 */
export function checkVariables(original: ElfObject, patched: ElfObject, externals: readonly External[], accepted: Accepted): string[] {
  const [before, after] = [DwarfTypes.of(original), DwarfTypes.of(patched)];
  if (before === undefined || after === undefined) return [];
  const notes: string[] = [];
  for (const { symbol, original: kept, patched: twin, anchor } of externals) {
    if (anchor !== undefined) continue;
    const [old, now] = [before.variable(kept ?? symbol), after.variable(twin ?? symbol)];
    if (old === undefined || now === undefined) continue;
    const why = variableDifference(old, now);
    if (why === undefined) continue;
    if (!isAccepted(accepted, old.name))
      throw fail("BUILD_LAYOUT", `the variable ${old.name} ${why}`, { file: patched.file, symbol: old.name }, mendFor(old.name));
    notes.push(`the variable ${old.name} ${why}, which was accepted`);
  }
  return [...notes, ...foldedVariables(before, after, patched.file, accepted)];
}

/** What the type of a variable of the object stands for (see BtfPrototype); undefined where the compiler has not written it. @throws BUILD_BAD_DWARF */
export function variableShape(elf: ElfObject, name: string): string | undefined {
  const symbol = elf.symbols.find((one) => one.name === name && one.type === STT.OBJECT && isSection(one.place));
  return symbol === undefined ? undefined : DwarfTypes.of(elf)?.variable(symbol)?.shape;
}

/** Names of which there are many in one function are made by macros (__already_done, _rs). */
const MADE_BY_MACROS = /^_/;

/** Whether the original has a variable that the patched object has not. */
export function variableVanishes(original: ElfObject, patched: ElfObject): boolean {
  const names = new Set(patched.symbols.map(({ name }) => stem(name)));
  return original.symbols.some(
    ({ name, type, place }) =>
      type === STT.OBJECT && isSection(place) && (place.flags & SHF.WRITE) !== 0 && !MADE_BY_MACROS.test(name) && !names.has(stem(name)),
  );
}

/**
 * The kernel's variable that nothing in the patched file writes any more: the compiler has put its initial value where it was read. The kernel's may hold
 * another.
 * @throws BUILD_LAYOUT, BUILD_FOLDED
 */
function foldedVariables(before: DwarfTypes, after: DwarfTypes, file: string, accepted: Accepted): string[] {
  const notes: string[] = [];
  const was = before.defined;
  for (const [key, { kept, variable }] of after.defined) {
    const old = kept === undefined ? was.get(key) : undefined;
    if (old?.kept === undefined || !isSection(old.kept.place) || (old.kept.place.flags & SHF.WRITE) === 0) continue;
    const { name } = variable();
    if (MADE_BY_MACROS.test(name)) continue;
    const differs = variableDifference(old.variable(), variable());
    const why = differs ?? "is not in the patched object: nothing there writes it, or nothing reads it, so the kernel's is not used";
    if (isAccepted(accepted, name)) notes.push(`the variable ${name} ${why}, which was accepted`);
    else if (differs !== undefined) throw fail("BUILD_LAYOUT", `the variable ${name} ${why}`, { file, symbol: name }, mendFor(name));
    else
      throw fail(
        "BUILD_FOLDED",
        `the variable ${name} ${why}`,
        { file, symbol: name },
        {
          mend: `Read it with READ_ONCE() where the fix needs what it holds, or take it out of the fix if it is not needed. If its initial value is right for the new code, say so with --accept-layout ${name}.`,
        },
      );
  }
  return notes;
}

/** Types that an object knows, against the kernel's own: those of its headers, and what was copied from elsewhere. @throws BUILD_LAYOUT, BUILD_RENUMBERED */
export function checkKernelLayouts(kernel: Btf, elf: ElfObject): void {
  const own = objectTypes(elf);
  if (own === undefined) return;
  const { file } = elf;
  for (const name of own.compositeNames) {
    const why = layoutDifference(kernel.layouts(name), own.layouts(name), sameShapeInKernel);
    if (why !== undefined) throw fail("BUILD_LAYOUT", `${name} ${why} in the kernel`, { file, symbol: name });
  }
  for (const { name, values } of own.enumerations) {
    const known = name === "" ? [] : kernel.enumerations.filter((other) => other.name === name);
    const differences = known.map((other) => otherValue(new Map(other.values), values));
    const [why] = differences;
    if (why !== undefined && differences.every((each) => each !== undefined))
      throw fail("BUILD_RENUMBERED", `enum ${name}: ${why} in the kernel`, { file, symbol: name });
  }
}

function otherValue(known: ReadonlyMap<string, number>, values: readonly (readonly [string, number])[]): string | undefined {
  for (const [name, value] of values) {
    const there = known.get(name);
    if (there !== undefined && there !== value) return `${name} is ${value}, it is ${there}`;
  }
  return undefined;
}

/** Of a structure that lies otherwise. */
export function otherLayout(why: string, where: Where): SutureError {
  return fail("BUILD_LAYOUT", why, where);
}

/** With or without the word that stands before a tag. */
export function isAccepted(accepted: Accepted, name: string): boolean {
  return accepted.has(name) || ["struct", "union", "enum"].some((kind) => accepted.has(`${kind} ${name}`));
}

/** @param inPadding new members, where they are all that differs */
function mendFor(name: string, inPadding: readonly string[] = []): { mend: string } {
  const hole =
    inPadding.length === 0
      ? ""
      : `If 0 is right for objects that were there before, say so with --hole ${inPadding.join(" ")} (docs/means.md). Otherwise: `;
  return {
    mend: `${hole}Keep it as it is and hold the new state in a shadow variable (docs/authoring.md#new-fields), or boot a fixed kernel. If the new code meets nothing that was made by the old, say so with --accept-layout ${name}.`,
  };
}

function enumerationsOf(elf: ElfObject): readonly Enumeration[] {
  return DwarfTypes.of(elf)?.enumerations ?? objectTypes(elf)?.enumerations.map((found) => ({ ...found, scope: "" })) ?? [];
}
