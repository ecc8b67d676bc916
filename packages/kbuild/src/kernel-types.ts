/**
 * The kernel's types (BTF). Most kernels bring them in their image; for one that does not (CONFIG_DEBUG_INFO_BTF) the compiler writes down what
 * it makes of the kernel's own headers, as a module's build reads them. That is as good as the tree is the kernel's, which the proof shows.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readElf } from "@suture/elf";
import { SutureError } from "@suture/errors";
import { keepFile, markUsed } from "@suture/files";
import { Btf, type KernelImage } from "@suture/kernel";
import type { Target } from "@suture/sources";
import { inScratch } from "@suture/sources";
import { run, type Task } from "@suture/task";
import { fail } from "./errors.ts";
import { keyOf } from "./make/key.ts";

/** What defines the structures that Suture writes (klp_*) and the entries of special sections. Series differ in which of them they have. */
const HEADERS = [
  "linux/module.h",
  "linux/livepatch.h",
  "linux/bug.h",
  "linux/jump_label.h",
  "linux/static_call.h",
  "asm/alternative.h",
  "asm/extable.h",
];
const NAME = "suture_types";
const OPTIONS = "-g0 -gbtf -fno-eliminate-unused-debug-types";

/** To be raised with every change to what is kept. */
const VERSION = 1;

/** @param compiler its identity. @returns undefined where the image has its own. @throws BUILD_NO_TYPES */
export async function kernelTypes(
  task: Task,
  image: KernelImage,
  target: Target,
  cache: string,
  compiler: string,
): Promise<Btf | undefined> {
  if (image.hasBtf) return undefined;
  const path = join(cache, `${keyOf(target, ["types", VERSION, compiler])}.btf`);
  const kept = await readFile(path).catch(() => undefined);
  if (kept !== undefined) {
    try {
      markUsed(path);
      return new Btf(kept, path);
    } catch (error) {
      // Damaged: made anew.
      if (!(error instanceof SutureError)) throw error;
    }
  }
  const bytes = await inScratch("types", (folder) => compileTypes(task, target, folder));
  await keepFile(path, bytes);
  return new Btf(bytes, path);
}

async function compileTypes(task: Task, target: Target, folder: string): Promise<Uint8Array> {
  try {
    const includes = [...HEADERS, ...target.arch.kbuild.headers].map(
      (header) => `#if __has_include(<${header}>)\n#include <${header}>\n#endif\n`,
    );
    await writeFile(join(folder, "Kbuild"), `obj-m := ${NAME}.o\n`);
    await writeFile(join(folder, `${NAME}.c`), `${includes.join("")}MODULE_LICENSE("GPL");\n`);
    const argv = ["make", ...target.make, `M=${folder}`, "KBUILD_MODPOST_WARN=1", `KCFLAGS=${OPTIONS}`, `${NAME}.o`];
    await run(task, argv, { cwd: target.tree });
    const file = join(folder, `${NAME}.o`);
    const section = readElf(await readFile(file), file).sections.find(({ name }) => name === ".BTF");
    if (section === undefined) throw fail("BUILD_NO_TYPES", `${target.compiler} wrote none`, { file: target.image });
    return section.data;
  } catch (error) {
    if (!(error instanceof SutureError) || error.code !== "COMMAND_FAILED") throw error;
    throw fail("BUILD_NO_TYPES", error.message, { file: target.image }, { cause: error });
  }
}
