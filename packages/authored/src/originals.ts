/** The kernel's objects that hold what is replaced or named: found by their source, compiled, and proven to be what the kernel runs. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { archOf } from "@suture/arch";
import { type ElfObject, type ElfSymbol, isSection, readElf, relocationSections, STT } from "@suture/elf";
import type { KernelContext, ObjectCommand } from "@suture/kbuild";
import { compileKept, defines, kernelObjects, locator, objectsNamed, proveOriginal, refuseUnproven } from "@suture/kbuild";
import type { Place } from "@suture/livepatch";
import type { ObjectProof } from "@suture/proof";
import { run, type Task } from "@suture/task";
import { fail } from "./errors.ts";

export interface Original {
  command: ObjectCommand;
  /** With a section for each function, and types. */
  elf: ElfObject;
  bytes: Uint8Array;
  proof: ObjectProof;
}

/** What of the kernel is meant. */
export interface Wanted {
  /** FILE:LINE of who wants it, for errors. */
  at: string;
  object: string;
  name: string;
  file: string | undefined;
}

export interface Found {
  original: Original;
  symbol: ElfSymbol;
  place: Place;
}

export class Originals {
  readonly #task: Task;
  readonly #kernel: KernelContext;
  readonly #unproven: boolean;
  readonly #opened = new Map<string, Original>();

  /** @param unproven go on with objects that are not proven, with a warning */
  constructor(task: Task, kernel: KernelContext, unproven: boolean) {
    this.#task = task;
    this.#kernel = kernel;
    this.#unproven = unproven;
  }

  get all(): Original[] {
    return [...this.#opened.values()].sort((a, b) => (a.command.object < b.command.object ? -1 : 1));
  }

  /** A function or variable by its name, and by its file where that was said. @throws AUTHORED_*, BUILD_UNPROVEN */
  async find(wanted: Wanted): Promise<Found> {
    const { at, name } = wanted;
    const original = await this.open(await this.#objectOf(wanted));
    const symbol = original.elf.symbols.find(
      (other) => other.name === name && isSection(other.place) && (other.type === STT.FUNC || other.type === STT.OBJECT),
    );
    if (symbol === undefined) throw notThere(original.elf, wanted);
    if (isSection(symbol.place) && /^\.(init|exit)\./.test(symbol.place.name)) throw goneAfterInit(wanted);
    const owner = await this.#kernel.owner(this.#task, original.command.owner);
    try {
      return { original, symbol, place: locator(original.proof, owner)(symbol) };
    } catch (cause) {
      if (!(cause instanceof Error)) throw cause;
      throw fail("AUTHORED_MISSING", `${name}: ${cause.message}`, { file: at, symbol: name }, { cause });
    }
  }

  async open(object: string): Promise<Original> {
    const known = this.#opened.get(object);
    if (known !== undefined) return known;
    const kernel = this.#kernel;
    const command = kernel.commands.of(object);
    const view = kernel.original;
    const plain = await compileKept(this.#task, command, "plain", view, kernel.tools);
    const { bytes } = await compileKept(this.#task, command, "types", view, kernel.tools);
    const elf = readElf(bytes, object);
    const proof = await proveOriginal(this.#task, kernel, command, plain.bytes, elf);
    if (!proof.complete) {
      const refusal = refuseUnproven(proof);
      if (!this.#unproven) throw refusal;
      this.#task.reporter.warn(`${object} is NOT PROVEN to be what the kernel runs: ${refusal.message}`);
    }
    const opened = { command, elf, bytes, proof };
    this.#opened.set(object, opened);
    return opened;
  }

  async #objectOf(wanted: Wanted): Promise<string> {
    const { at, object: owner, name, file } = wanted;
    if (owner !== "vmlinux") await this.#kernel.module(this.#task, owner);
    const where = { file: at, symbol: name };
    const objects =
      file === undefined
        ? await definedIn(this.#task, this.#kernel, owner, name)
        : kernelObjectsNamed(this.#kernel, file).filter((object) => this.#kernel.commands.ownerOf(object) === owner);
    const [object] = objects;
    if (object === undefined && file !== undefined) throw fail("AUTHORED_MISSING", `${owner} is not built from ${file}`, where);
    if (object === undefined)
      throw fail("AUTHORED_MISSING", `no C file of ${owner} seems to define ${name}`, where, {
        mend: "Correct the name; or, if a macro makes it, say in which file: SUTURE_REPLACE_IN(OBJECT, FILE, OLD, NEW) or SUTURE_SYMBOL(LOCAL, OBJECT, FILE, NAME).",
      });
    if (objects.length > 1) {
      const files = objects.map((each) => this.#kernel.commands.of(each).source);
      throw fail("AUTHORED_AMBIGUOUS", `${name} may be that of ${files.join(", ")}`, where, {
        mend: `Say which: SUTURE_REPLACE_IN("${owner}", "${files[0]}", ${name}, ...) or SUTURE_SYMBOL(${name}, "${owner}", "${files[0]}", ${name}).`,
      });
    }
    return object;
  }
}

/** Of a C file, or an object: without those of programs that stand beside the kernel. @throws PROVE_NO_OBJECT */
export function kernelObjectsNamed(kernel: KernelContext, file: string): string[] {
  const own = new Set(kernelObjects(kernel));
  return objectsNamed(kernel.commands, [file]).filter((object) => own.has(object));
}

/** The objects of vmlinux or a module, or all, whose C file itself seems to define the function or variable. */
export async function definedIn(task: Task, kernel: KernelContext, owner: string | undefined, name: string): Promise<string[]> {
  const { commands, sourceRoot } = kernel;
  const inKernel = new Set(kernelObjects(kernel));
  const isMeant = (object: string): boolean => {
    const of = commands.ownerOf(object);
    return of !== undefined && inKernel.has(object) && (owner === undefined || of === owner);
  };
  const own = commands.objects.filter(isMeant);
  const sources = [...new Set(own.map((object) => commands.of(object).source))];
  // SYSCALL_DEFINE3(read, ...) makes functions of that name.
  const { entry, others } = kernel.target.arch.kbuild.systemCalls;
  const prefix = [entry, ...others].find((begin) => name.startsWith(begin));
  const call = prefix === undefined ? undefined : name.slice(prefix.length);
  // Sources that the build makes may not be there: grep goes on, and ends with 2.
  const { stdout } = await run(task, ["grep", "-lswF", "-e", call ?? name, "--", ...sources], { cwd: sourceRoot, accept: [1, 2] });
  const objects: string[] = [];
  for (const source of stdout.split("\n").filter((line) => line !== "")) {
    const text = await readFile(join(sourceRoot, source), "latin1");
    const has =
      call === undefined
        ? defines(text, name) || definesVariable(text, name)
        : new RegExp(`^SYSCALL_DEFINE\\d\\(${call}\\b`, "m").test(text);
    if (has) objects.push(...commands.ofSource(source).filter(isMeant));
  }
  return objects;
}

/** Whether a C file has a variable of that name outside of all functions: `int name = 1;`, `DEFINE_MUTEX(name)`, `struct x name[] = {`. */
function definesVariable(text: string, name: string): boolean {
  const plain = new RegExp(
    `^(?!extern\\b|typedef\\b|return\\b)[A-Za-z_][^\\n;(){}=]*[\\s*]${name}(?:\\[[^\\n]*\\])*\\s*(?:__\\w+\\s*)*(?:=|;)`,
    "m",
  );
  const macro = new RegExp(`^(?:static\\s+|__\\w+\\s+)*[A-Z][A-Z0-9_]+\\((?:[^()\\n]*,\\s*)?${name}\\b`, "m");
  return plain.test(text) || macro.test(text);
}

/** What runs or is read only while the kernel boots or a module is loaded or goes is not there for a livepatch. */
export function goneAfterInit({ at, name, object }: Pick<Wanted, "at" | "name" | "object">): Error {
  const when = object === "vmlinux" ? "while the kernel boots" : `while ${object} is loaded, or goes`;
  return fail(
    "AUTHORED_MISSING",
    `${name} is only there ${when}`,
    { file: at, symbol: name },
    { mend: "Do without it: its memory is used for something else by now." },
  );
}

function notThere(elf: ElfObject, { at, name, object }: Wanted): Error {
  const where = { file: at, symbol: name };
  const clones = elf.symbols
    .filter((other) => other.name.startsWith(`${name}.`) && other.type === STT.FUNC && !other.name.endsWith(".cold"))
    .map((other) => other.name);
  if (clones.length > 0)
    return fail(
      "AUTHORED_MISSING",
      `${object} has no ${name}: the compiler made ${clones.join(", ")} of it, which takes other parameters`,
      where,
      {
        mend: "Replace the functions that call it instead.",
      },
    );
  return fail("AUTHORED_MISSING", `${elf.file} has no ${name}: it may have become part of its callers`, where, {
    mend: "Replace the functions that call it instead.",
  });
}

/** Whether ftrace can redirect calls of the function: it begins with the call for that, after a landing pad where there is one. */
export function hasEntry(elf: ElfObject, { place, value }: ElfSymbol): boolean {
  if (!isSection(place)) return false;
  const { callee, callField } = archOf(elf).ftrace;
  const field = callField(place.data, value);
  return (relocationSections(elf).get(place) ?? []).some((table) =>
    table.relocations.some(({ offset, symbol }) => symbol?.name === callee && offset === field),
  );
}
