/** The object that holds a patch → a kernel module, by the kernel's own tools: ld, modpost, gcc, ld. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import type { Target } from "@suture/sources";
import { inScratch } from "@suture/sources";
import { run, type Task } from "@suture/task";
import { fail } from "../errors.ts";
import { FOLDER, NAME, type Recipe } from "./recipe.ts";

/** @param name of the module as the kernel has it. @returns the module's bytes; its livepatch relocations are still ordinary ones. @throws BUILD_LINK */
export function linkModule(task: Task, target: Target, recipe: Recipe, name: string, object: Uint8Array): Promise<Uint8Array> {
  return inScratch("link", (folder) => linkIn(folder, task, target, recipe, name, object));
}

async function linkIn(folder: string, task: Task, target: Target, recipe: Recipe, name: string, object: Uint8Array): Promise<Uint8Array> {
  const shell = async (command: string, input = ""): Promise<void> => {
    try {
      await run(task, ["sh", "-c", command.replaceAll(FOLDER, folder).replaceAll(NAME, name)], { cwd: target.tree, input });
    } catch (error) {
      if (!(error instanceof SutureError) || error.code !== "COMMAND_FAILED") throw error;
      throw fail("BUILD_LINK", error.message, { file: `${name}.ko` }, { cause: error });
    }
  };
  const file = (suffix: string): string => join(folder, name + suffix);
  await writeFile(join(folder, "entry.o"), Buffer.from(recipe.entry, "base64"));
  await writeFile(join(folder, "patch.o"), object);
  for (const [common, bytes] of Object.entries(recipe.common)) await writeFile(join(folder, common), Buffer.from(bytes, "base64"));
  const objects = `${file(".o")}\n`;
  await writeFile(join(folder, "modules.order"), objects);
  // The list of objects that the module is made of, for the versions of what they export: nothing.
  await writeFile(file(".mod"), "");
  await shell(
    `${target.linker} -r ${target.arch.kbuild.linker.join(" ")} -z noexecstack -o ${FOLDER}/${NAME}.o ${FOLDER}/entry.o ${FOLDER}/patch.o`,
  );
  // It warns of what the livepatch core will find and it does not know. The last gate looks at every symbol again.
  await shell(recipe.modpost, objects);
  await shell(recipe.compile);
  await shell(recipe.link);
  return await readFile(file(".ko"));
}
