/** Compiles sources that were written by hand, as the kernel's build compiles an object of a module, and makes one object of them. */
import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { readElf } from "@suture/elf";
import { SutureError } from "@suture/errors";
import { shellWord } from "@suture/files";
import type { KernelContext } from "@suture/kbuild";
import { FOLDER, NAME, objectsNamed } from "@suture/kbuild";
import type { BtfPrototype } from "@suture/kernel";
import { headerFolder } from "@suture/livepatch";
import { inScratch } from "@suture/sources";
import { run, type Task } from "@suture/task";
import { objectTypes } from "@suture/types";
import { fail } from "./errors.ts";
import type { AuthoredSource } from "./read.ts";

/** @param module its name, as the kernel has it. @throws BUILD_COMPILE, PROVE_NO_OBJECT */
export function compileAuthored(task: Task, kernel: KernelContext, source: AuthoredSource, module: string): Promise<Uint8Array> {
  return inScratch("authored", (folder) => compileIn(folder, task, kernel, source, { module, path: join(folder, source.name) }));
}

/** Of a variable that points to a function of that name. */
const POINTER = "suture_declared_";

/**
 * How a source declares functions that it only uses. Compilers without BTF write that down of nothing but their types: of variables that point to them.
 * @throws BUILD_COMPILE
 */
export async function declaredIn(
  task: Task,
  kernel: KernelContext,
  source: AuthoredSource,
  names: readonly string[],
): Promise<ReadonlyMap<string, BtfPrototype | undefined>> {
  const bytes = await inScratch("authored", async (folder) => {
    const path = join(folder, `declared-by-${source.name}`);
    const pointers = names.map((name) => `__typeof__(&(${name})) ${POINTER}${name};\n`);
    await writeFile(path, `#include "${source.name}"\n${pointers.join("")}`);
    return compileIn(folder, task, kernel, source, { module: NAME, path });
  });
  const types = objectTypes(readElf(bytes, source.name));
  return new Map(names.map((name) => [name, types?.prototypeBehind(`${POINTER}${name}`)]));
}

async function compileIn(
  folder: string,
  task: Task,
  kernel: KernelContext,
  source: AuthoredSource,
  { module, path }: { module: string; path: string },
): Promise<Uint8Array> {
  const out = join(folder, "authored.o");
  const recipe = kernel.recipe.object.replaceAll(`${FOLDER}/.${NAME}.o.d`, join(folder, "authored.d"));
  const target = ` -c -o ${FOLDER}/${NAME}.o ${FOLDER}/${NAME}.c`;
  const at = recipe.indexOf(target);
  if (at < 0) throw fail("BUILD_KBUILD", "how the kernel compiles an object of a module is not understood", { file: kernel.target.tree });
  const flags = recipe
    .slice(0, at)
    .replaceAll(NAME, module)
    .replace(/(-DKBUILD_BASENAME=)\S+/, `$1'"${basename(source.name, ".c").replaceAll("-", "_")}"'`);
  const own = [...flagsLike(kernel, source), `-I${shellWord(headerFolder())}`, "-I.", `-fmacro-prefix-map=${shellWord(`${folder}/=`)}`];
  // Other options of the build may have asked for debug information already.
  const types = kernel.commands.circumstances.writesBtf ? "-gbtf" : "-gdwarf-5";
  const line = `${flags} ${own.join(" ")} ${types} -c -o ${out} ${shellWord(path)} ${recipe.slice(at + target.length).replaceAll(`${FOLDER}/${NAME}.o`, out)}`;
  const said = (text: string): string => text.replaceAll(`${folder}/`, source.folder === undefined ? "" : `${source.folder}/`);
  try {
    for (const { name, bytes } of [source, ...source.beside]) await writeFile(join(folder, name), bytes);
    const { stderr } = await run(task, ["sh", "-c", line], { cwd: kernel.target.tree });
    if (stderr.trim() !== "") task.reporter.warn(said(stderr.trim()));
    return await readFile(out);
  } catch (error) {
    if (!(error instanceof SutureError) || error.code !== "COMMAND_FAILED") throw error;
    throw fail("BUILD_COMPILE", said(error.message.slice(error.message.indexOf("\n") + 1).trim()), { file: said(path) }, { cause: error });
  }
}

/** SUTURE_FLAGS_OF("fs/xfs/xfs_file.c"): the folders and definitions that the kernel's build gives to that file and not to every one. */
function flagsLike(kernel: KernelContext, { name, bytes }: AuthoredSource): string[] {
  const flags: string[] = [];
  for (const [, file = ""] of Buffer.from(bytes)
    .toString("latin1")
    .matchAll(/^SUTURE_FLAGS_OF\(\s*"([^"]+)"\s*\)/gm)) {
    const [object] = objectsNamed(kernel.commands, [file]);
    if (object === undefined) throw fail("PROVE_NO_OBJECT", `the kernel is not built from ${file}`, { file: name });
    // Headers hide from modules what only the kernel itself may use.
    if (kernel.commands.ownerOf(object) === "vmlinux") flags.push("-UMODULE");
    const words = kernel.commands.of(object).compile.match(/(?:'[^']*'|[^\s'])+/g) ?? [];
    words.forEach((word, i) => {
      if (word === "-include" || word === "-iquote") flags.push(`${word} ${words[i + 1] ?? ""}`);
      // Messages begin with it (pr_fmt).
      else if (word.startsWith("-DKBUILD_MODNAME=")) flags.push(`-UKBUILD_MODNAME ${word}`);
      else if (/^-[IDU]./.test(word) && !/^-D(MODULE$|(__)?KBUILD_|CC_USING_)/.test(word)) flags.push(word);
    });
  }
  return [...new Set(flags)].filter((flag) => !` ${kernel.recipe.object} `.includes(` ${flag} `));
}

/** Several objects as one. @throws BUILD_LINK */
export async function joinObjects(task: Task, kernel: KernelContext, objects: readonly Uint8Array[]): Promise<Uint8Array> {
  const [first] = objects;
  if (objects.length === 1 && first !== undefined) return first;
  return inScratch("authored", (folder) => joinIn(folder, task, kernel, objects));
}

async function joinIn(folder: string, task: Task, kernel: KernelContext, objects: readonly Uint8Array[]): Promise<Uint8Array> {
  try {
    const files = await Promise.all(
      objects.map(async (bytes, i) => {
        const file = join(folder, `${i}.o`);
        await writeFile(file, bytes);
        return file;
      }),
    );
    const out = join(folder, "joined.o");
    await run(task, [kernel.target.linker, "-r", ...kernel.target.arch.kbuild.linker, "-z", "noexecstack", "-o", out, ...files]);
    return await readFile(out);
  } catch (error) {
    if (!(error instanceof SutureError) || error.code !== "COMMAND_FAILED") throw error;
    throw fail("BUILD_LINK", error.message, {}, { cause: error });
  }
}
