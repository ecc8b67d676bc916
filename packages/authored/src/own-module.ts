/**
 * Livepatch modules that register themselves, as the kernel's samples and self-tests do: built by the kernel's own build, unchanged. What they
 * say of the functions they replace is held against the kernel as far as it has them.
 */
import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { type ElfObject, readElf } from "@suture/elf";
import { SutureError } from "@suture/errors";
import { sha256 } from "@suture/files";
import { type KernelContext, objectDigest } from "@suture/kbuild";
import { inspect, moduleName } from "@suture/livepatch";
import type { DraftManifest } from "@suture/protocol";
import { inScratch } from "@suture/sources";
import { run, type Task } from "@suture/task";
import { objectTypes } from "@suture/types";
import { compileAuthored } from "./compile.ts";
import { fail } from "./errors.ts";
import { hasEntry, Originals } from "./originals.ts";
import type { AuthoredSource } from "./read.ts";
import { comparePrototypes } from "./signatures.ts";

/** Whether a source registers a livepatch itself. */
export function enablesItself({ bytes, beside }: AuthoredSource): boolean {
  return [bytes, ...beside.map((file) => file.bytes)].some((text) => /\bklp_enable_patch\s*\(/.test(Buffer.from(text).toString("latin1")));
}

/** A module as the kernel's build makes it, with what the manifest is to say of it. */
export interface OwnModule {
  linked: Uint8Array;
  file: string;
  draft: DraftManifest;
}

/** @throws AUTHORED_*, BUILD_LINK */
export async function buildOwnModule(task: Task, kernel: KernelContext, source: AuthoredSource, unproven: boolean): Promise<OwnModule> {
  const from = source.name;
  const originals = new Originals(task, kernel, unproven);
  const elf = readElf(await compileAuthored(task, kernel, source, moduleName(basename(source.name, ".c"))), from);
  const linked = await task.stage("link", () => make(task, kernel, source));
  const file = `${basename(source.name, ".c")}.ko`;
  const { descriptor, livepatch } = inspect(linked, file);
  if (!livepatch) throw fail("AUTHORED_SOURCE", 'it does not say MODULE_INFO(livepatch, "Y")', { file: from });
  if (descriptor === undefined)
    throw fail("AUTHORED_SOURCE", "its struct klp_patch is made at run time: what it replaces cannot be checked", { file: from });
  const { functions, notes } = await task.stage("prove", () => checkFunctions(kernel, originals, source, elf, descriptor.objects));
  for (const { text } of notes) task.reporter.warn(text);
  const proofs = originals.all.map(({ proof }) => proof);
  const doubts = [
    ...proofs.filter(({ complete }) => !complete).map(({ object }) => `${object} is not what the kernel runs`),
    ...notes.map(({ text }) => text),
  ];
  const patched = sha256(linked);
  const draft: DraftManifest = {
    suture: 1,
    name: basename(source.name, ".c"),
    kernel: { release: kernel.image.release, buildId: kernel.image.buildId },
    proof: {
      proven: doubts.length === 0,
      functions: proofs.reduce((sum, proof) => sum + proof.functions.filter((f) => f.proven).length, 0),
      ...(doubts.length === 0 ? {} : { reason: doubts.join("; ") }),
    },
    replace: descriptor.replace,
    objects: originals.all.map(({ command, bytes }) => ({
      path: command.object,
      owner: command.owner,
      original: objectDigest(bytes, command.object),
      patched,
    })),
    functions,
    callbacks: descriptor.objects.flatMap((object) =>
      object.callbacks.map((callback) => ({ object: source.name, owner: object.name, ...callback })),
    ),
    states: descriptor.states,
    added: [],
    skipped: [],
    notes,
    symbols: [],
    compiler: kernel.compiler,
    inputs: [
      { kind: "source", name: source.name, sha256: sha256(source.bytes) },
      ...kernel.target.inputs,
      { kind: "image", name: basename(kernel.target.image), sha256: kernel.image.sha256 },
      { kind: "config", name: ".config", sha256: sha256(await readFile(kernel.target.config)) },
    ],
    fixes: [],
  };
  return { linked, file, draft };
}

type Objects = NonNullable<ReturnType<typeof inspect>["descriptor"]>["objects"];

async function checkFunctions(
  kernel: KernelContext,
  originals: Originals,
  source: AuthoredSource,
  elf: ElfObject,
  objects: Objects,
): Promise<{ functions: DraftManifest["functions"]; notes: DraftManifest["notes"] }> {
  const functions: DraftManifest["functions"] = [];
  const notes: DraftManifest["notes"] = [];
  for (const object of objects) {
    const known = object.name === "vmlinux" || kernel.hasModule(object.name);
    if (!known && object.functions.length > 0)
      notes.push({
        object: source.name,
        text: `${object.name} is no module of this kernel: whether it has what is replaced shows when it is loaded`,
      });
    for (const { name, sympos, replacement, size } of object.functions) {
      const entry = { object: source.name, owner: object.name, name, sympos, size, why: `replaced by ${replacement}` };
      if (!known) {
        functions.push({ ...entry, sizeBefore: 0 });
        continue;
      }
      const found = await originals.find({ at: source.name, object: object.name, name, file: undefined });
      if (found.place.sympos !== sympos)
        throw fail(
          "AUTHORED_AMBIGUOUS",
          `its struct klp_func names ${name} with old_sympos ${sympos}; the one of ${found.original.command.source} is ${found.place.sympos}`,
          { file: source.name, symbol: name },
        );
      if (!hasEntry(found.original.elf, found.symbol))
        throw fail("AUTHORED_NOT_REPLACEABLE", `${name} has no ftrace entry: its calls cannot be redirected`, {
          file: source.name,
          symbol: name,
        });
      const written = objectTypes(elf)?.prototype(replacement);
      comparePrototypes({ at: source.name, old: name, own: replacement }, objectTypes(found.original.elf)?.prototype(name), written);
      functions.push({ ...entry, object: found.original.command.object, sizeBefore: found.symbol.size });
    }
  }
  return { functions, notes };
}

/** As an external module of the tree. @throws BUILD_LINK */
function make(task: Task, kernel: KernelContext, source: AuthoredSource): Promise<Uint8Array> {
  return inScratch("authored", (folder) => makeIn(folder, task, kernel, source));
}

async function makeIn(folder: string, task: Task, kernel: KernelContext, source: AuthoredSource): Promise<Uint8Array> {
  const module = basename(source.name, ".c");
  try {
    for (const { name, bytes } of [source, ...source.beside]) await writeFile(join(folder, name), bytes);
    await writeFile(join(folder, "Kbuild"), `obj-m := ${module}.o\n`);
    await run(task, ["make", ...kernel.target.make, `M=${folder}`, "KCFLAGS=-g0", "modules"], { cwd: kernel.target.tree });
    return await readFile(join(folder, `${module}.ko`));
  } catch (error) {
    if (!(error instanceof SutureError) || error.code !== "COMMAND_FAILED") throw error;
    throw fail("BUILD_LINK", error.message, { file: source.name }, { cause: error });
  }
}
