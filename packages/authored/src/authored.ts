/**
 * Sources that were written by hand → a livepatch. What they declare (<suture.h>) says what replaces what; what they refer to and do not define
 * is the kernel's. The objects that hold what is replaced are compiled from the kernel's source and proven like those of a source patch.
 */
import { type ElfObject, newObject, readElf, writeElf } from "@suture/elf";
import { type KernelContext, objectDigest } from "@suture/kbuild";
import { Answers, type Part, type Resolved, type State } from "@suture/livepatch";
import type { Task } from "@suture/task";
import { checkKernelLayouts, checkLayouts, objectTypes } from "@suture/types";
import { compileAuthored, declaredIn, joinObjects } from "./compile.ts";
import { type Declarations, type Replacement, takeDeclarations } from "./declarations.ts";
import { fail } from "./errors.ts";
import { inlinedIn, missedIn } from "./inlined.ts";
import { type Found, hasEntry, type Original, Originals } from "./originals.ts";
import type { AuthoredSource } from "./read.ts";
import { type ResolvedReference, resolveReferences } from "./references.ts";
import { FREEING, freeingPart, shadowsById } from "./shadows.ts";
import { comparePrototypes, compareVariables } from "./signatures.ts";

/** What sources that were written by hand come to. */
export interface Authored {
  parts: Part[];
  /** How each symbol that they use and do not define is reached. */
  references: Resolved[];
  states: State[];
  shadows: { id: number; name: string; size: number }[];
  notes: { object: string; text: string }[];
  /** The kernel's objects that hold what they replace and name. */
  originals: Original[];
  /** Of the object that all sources make. */
  sha256: string;
}

/** A function of the kernel, and what takes its place. */
interface Pair extends Replacement {
  found: Found;
}

/** @param module its name, as the kernel has it. @throws AUTHORED_*, BUILD_*, KLP_*, PROVE_NO_OBJECT */
export async function authoredParts(
  task: Task,
  kernel: KernelContext,
  sources: readonly AuthoredSource[],
  { module, unproven }: { module: string; unproven: boolean },
): Promise<Authored> {
  const from = sources.map(({ name }) => name).join(", ");
  const originals = new Originals(task, kernel, unproven);
  const compiled = await task.stage("write", async (stage) => {
    const objects: Uint8Array[] = [];
    for (const source of sources) {
      stage.note(source.name);
      objects.push(await compileAuthored(task, kernel, source, module));
    }
    stage.result(from);
    return objects;
  });
  const elves = compiled.map((bytes, i) => readElf(bytes, sources[i]?.name ?? ""));
  const elf = readElf(await joinObjects(task, kernel, compiled), from);
  const declarations = takeDeclarations(elf);
  checkDeclared(declarations, from);
  const sha256 = objectDigest(writeElf(elf), from);
  return task.stage("prove", async (stage) => {
    const pairs = await findReplaced(kernel, originals, declarations, elves);
    const notes = await notReached(task, kernel, originals, pairs);
    const modules = await patchedModules(task, kernel, declarations);
    const references = await resolveReferences(task, kernel, originals, { elf, symbols: declarations.symbols, modules });
    for (const [i, each] of elves.entries())
      await holdReferences(task, kernel, { elf: each, source: sources[i] }, references, declarations.symbols);
    for (const each of elves) {
      for (const original of originals.all) checkLayouts(original.elf, each, new Set());
      checkKernelLayouts(kernel.btf, each);
    }
    const shadows = shadowsById(declarations.shadows);
    const parts = await partsOf(task, kernel, elf, { declarations, pairs, shadows, module });
    const proven = originals.all.reduce((sum, { proof }) => sum + proof.functions.filter((f) => f.proven).length, 0);
    const objects = originals.all.map(({ command }) => command.object);
    stage.result(objects.length === 0 ? "it uses nothing that has to be" : `${proven} functions of ${objects.join(", ")}`);
    return {
      parts,
      references: references.map(({ isFunction: _, original: __, ...resolved }) => resolved),
      states: declarations.states.map(({ id, version }) => ({ id, version })),
      shadows: shadows.map(({ id, name, size }) => ({ id, name, size })),
      notes,
      originals: originals.all,
      sha256,
    };
  });
}

function checkDeclared({ replacements, callbacks }: Declarations, from: string): void {
  if (replacements.length === 0 && callbacks.length === 0)
    throw fail("AUTHORED_SOURCE", "it neither declares what it replaces nor enables a livepatch of its own", { file: from });
  for (const [i, { object, old, file, at }] of replacements.entries()) {
    const twin = replacements.slice(0, i).find((other) => other.object === object && other.old === old && other.file === file);
    if (twin !== undefined)
      throw fail("AUTHORED_TWICE", `${old} of ${object} is replaced by ${twin.symbol.name} already (${twin.at})`, {
        file: at,
        symbol: old,
      });
  }
  for (const [i, { object, kind, at, name }] of callbacks.entries()) {
    const twin = callbacks.slice(0, i).find((other) => other.object === object && other.kind === kind);
    if (twin !== undefined)
      throw fail("AUTHORED_TWICE", `the ${kind} callback of ${object} is ${twin.name} already (${twin.at})`, { file: at, symbol: name });
  }
}

async function findReplaced(
  kernel: KernelContext,
  originals: Originals,
  { replacements }: Declarations,
  elves: readonly ElfObject[],
): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for (const replacement of replacements) {
    const { at, object, old, file, symbol } = replacement;
    const found = await originals.find({ at, object, name: old, file });
    if (!hasEntry(found.original.elf, found.symbol))
      throw fail("AUTHORED_NOT_REPLACEABLE", `${old} has no ftrace entry: its calls cannot be redirected`, { file: at, symbol: old });
    const written = elves.map((elf) => objectTypes(elf)?.prototype(symbol.name)).find((prototype) => prototype !== undefined);
    const held = { at, old, own: symbol.name };
    comparePrototypes(held, objectTypes(found.original.elf)?.prototype(old), written);
    // The image names the function once at most; of several that differ it tells nothing.
    if (object === "vmlinux" && kernel.image.symbols.named(old).length === 1) comparePrototypes(held, kernel.btf.prototype(old), written);
    pairs.push({ ...replacement, found });
  }
  return pairs;
}

/** Functions that a replaced one has become part of: their calls of it stay with the old code. */
async function notReached(
  task: Task,
  kernel: KernelContext,
  originals: Originals,
  pairs: readonly Pair[],
): Promise<{ object: string; text: string }[]> {
  const notes: { object: string; text: string }[] = [];
  for (const { command, elf } of originals.all) {
    const own = pairs.filter(({ found }) => found.original.command === command);
    if (own.length === 0) continue;
    const inlined = await inlinedIn(task, kernel, command);
    const replaced = new Set(own.map(({ old }) => old));
    const kept = (name: string): boolean => elf.symbols.some((symbol) => symbol.name === name || symbol.name.startsWith(`${name}.`));
    for (const { old } of own) {
      const missed = missedIn(inlined, old, replaced, kept);
      if (missed.length > 0)
        notes.push({
          object: command.object,
          text: `${old} is also part of ${missed.join(", ")}, where the old code stays: replace that too`,
        });
    }
  }
  return notes;
}

/** @throws BUILD_KERNEL */
async function patchedModules(task: Task, kernel: KernelContext, { replacements, callbacks }: Declarations): Promise<string[]> {
  const modules = [...new Set([...replacements, ...callbacks].map(({ object }) => object))].filter((object) => object !== "vmlinux").sort();
  for (const module of modules) await kernel.module(task, module);
  return modules;
}

/** What the file declares as the kernel's must be so there. */
async function holdReferences(
  task: Task,
  kernel: KernelContext,
  { elf, source }: { elf: ElfObject; source: AuthoredSource | undefined },
  references: readonly ResolvedReference[],
  symbols: Declarations["symbols"],
): Promise<void> {
  const types = objectTypes(elf);
  const used = new Set(elf.symbols.filter(({ place }) => place === "undef").map(({ name }) => name));
  const own = references.filter(({ how, name }) => how === "klp" && used.has(name));
  const untold = own.filter(({ name, isFunction }) => isFunction && types?.prototype(name) === undefined).map(({ name }) => name);
  const more =
    untold.length === 0 || source === undefined || kernel.commands.circumstances.writesBtf
      ? undefined
      : await declaredIn(task, kernel, source, untold);
  for (const { name, object, sympos, isFunction, original } of own) {
    const old = symbols.find(({ local }) => local === name)?.name ?? name;
    const held = { at: elf.file, old, own: name };
    const there = original === undefined ? undefined : objectTypes(original.elf);
    const written = types?.prototype(name) ?? more?.get(name);
    if (!isFunction) compareVariables(held, there?.variable(old), types?.variable(name));
    else if (there !== undefined) comparePrototypes(held, there.prototype(old), written);
    else if (object === "vmlinux" && sympos === 0) comparePrototypes(held, kernel.btf.prototype(old), written);
  }
}

/** One part holds the code; those of the other objects of the kernel say what of it replaces what there. */
async function partsOf(
  task: Task,
  kernel: KernelContext,
  elf: ElfObject,
  {
    declarations,
    pairs,
    shadows,
    module,
  }: { declarations: Declarations; pairs: readonly Pair[]; shadows: ReturnType<typeof shadowsById>; module: string },
): Promise<Part[]> {
  const { callbacks } = declarations;
  const author = callbacks.filter(({ object, kind }) => object === "vmlinux" && FREEING.some((each) => each === kind));
  const freeing = shadows.length === 0 ? undefined : await freeingPart(task, kernel, elf, { shadows, author, module });
  const own = freeing === undefined ? callbacks : callbacks.filter((callback) => !author.includes(callback));
  const owners = [...new Set(["vmlinux", ...pairs.map(({ object }) => object), ...own.map(({ object }) => object)])];
  const parts = owners.map((owner, i): Part => {
    const places = new Map(pairs.filter(({ object }) => object === owner).map((pair) => [pair.found.symbol, pair] as const));
    return {
      object: elf.file,
      // It has no symbols that would be looked for in its owner.
      owner: new Answers(owner),
      delta: {
        object: i === 0 ? elf : newObject(elf.file, elf),
        functions: [...places.values()].map(({ old, symbol, found }) => ({
          name: old,
          why: `replaced by ${symbol.name}`,
          through: [],
          sizeBefore: found.symbol.size,
          size: symbol.size,
          original: found.symbol,
          symbol,
        })),
        callbacks: own.filter(({ object }) => object === owner).map(({ kind, name, symbol }) => ({ kind, name, symbol })),
        externals: [],
        exposed: [],
      },
      locate: (symbol) => {
        const pair = places.get(symbol);
        if (pair === undefined) throw fail("AUTHORED_MISSING", "nothing shows where it is", { file: elf.file, symbol: symbol.name });
        return pair.found.place;
      },
    };
  });
  return freeing === undefined ? parts : [...parts, freeing];
}
