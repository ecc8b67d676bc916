/** The object that holds a patch → a kernel module, by the kernel's own tools: ld, modpost, gcc, ld. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import { inScratch } from "@suture/sources";
import { run, type Task } from "@suture/task";
import { fail } from "../errors.ts";
import { type Ahead, keepForNext, type LinkPlace, NOTHING_AHEAD } from "./ahead.ts";
import { FOLDER, NAME } from "./recipe.ts";

/** @param name of the module as the kernel has it. @returns the module's bytes; its livepatch relocations are still ordinary ones. @throws BUILD_LINK */
export function linkModule(
  task: Task,
  place: LinkPlace,
  name: string,
  object: Uint8Array,
  ahead: Ahead = NOTHING_AHEAD,
): Promise<Uint8Array> {
  return inScratch("link", (folder) => linkIn(folder, task, place, { name, object, ahead }));
}

async function linkIn(
  folder: string,
  task: Task,
  place: LinkPlace,
  { name, object, ahead }: { name: string; object: Uint8Array; ahead: Ahead },
): Promise<Uint8Array> {
  const { target, recipe } = place;
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
  const joined = `${target.linker} -r ${target.arch.kbuild.linker.join(" ")} -z noexecstack -o ${FOLDER}/${NAME}.o ${FOLDER}/entry.o ${FOLDER}/patch.o`;
  // modpost warns of what the livepatch core will find and it does not know. The last gate looks at every symbol again.
  await shell(`${joined} && ${recipe.modpost}`, objects);
  const text = await readFile(file(".mod.c"), "latin1");
  const compiled = await ahead.objectOf(text);
  if (compiled === undefined) {
    await shell(recipe.compile);
    await keepForNext(task, place, text);
  } else await writeFile(file(".mod.o"), compiled);
  await shell(recipe.link);
  return await readFile(file(".ko"));
}
