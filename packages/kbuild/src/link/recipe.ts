/**
 * How the kernel's own build makes a module out of an object: asked once per kernel by building the entry code as a module, and kept. A
 * livepatch is then linked with the same command lines, without make. They are taken from what kbuild saves (.NAME.o.cmd, .NAME.ko.cmd) and,
 * for modpost, prints.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { keepJson, readKept } from "@suture/files";
import { entrySource } from "@suture/livepatch";
import type { Target } from "@suture/sources";
import { inScratch } from "@suture/sources";
import { run, type Task } from "@suture/task";
import * as v from "valibot";
import { fail } from "../errors.ts";
import { keyOf } from "../make/key.ts";

/** Shell commands to be run in the source tree, with FOLDER and NAME to be replaced. */
export interface Recipe {
  /** FOLDER/NAME.c → FOLDER/NAME.o, through objtool */
  object: string;
  /** FOLDER/NAME.o → FOLDER/NAME.mod.c; the list of objects is on its input and in FOLDER/modules.order. */
  modpost: string;
  /** FOLDER/NAME.mod.c → FOLDER/NAME.mod.o */
  compile: string;
  /** FOLDER/NAME.o, FOLDER/NAME.mod.o and what is `common` → FOLDER/NAME.ko */
  link: string;
  /** Objects that are linked into every module, by their names in FOLDER: in base64. */
  common: Record<string, string>;
  /** The compiled entry code, in base64. */
  entry: string;
}

const RECIPE: v.GenericSchema<Recipe> = v.object({
  object: v.string(),
  modpost: v.string(),
  compile: v.string(),
  link: v.string(),
  common: v.record(v.string(), v.string()),
  entry: v.string(),
});

export const FOLDER = "@FOLDER@";
export const NAME = "suture_module_name";

/** To be raised with every change to what a recipe holds. */
const VERSION = 5;

/** @param compiler its identity: it has made a part of each module. @throws BUILD_KBUILD */
export async function recipeOf(task: Task, target: Target, cache: string, compiler: string): Promise<Recipe> {
  const source = entrySource();
  const key = keyOf(target, ["recipe", VERSION, source, compiler]);
  const path = join(cache, `${key}.json`);
  const kept = await readKept(path, RECIPE);
  if (kept !== undefined) return kept;
  const recipe = await inScratch("recipe", (folder) => ask(task, target, folder, source));
  await keepJson(task, path, recipe);
  return recipe;
}

async function ask(task: Task, target: Target, folder: string, source: string): Promise<Recipe> {
  await writeFile(join(folder, "Kbuild"), `obj-m := ${NAME}.o\n`);
  await writeFile(join(folder, `${NAME}.c`), source);
  // What the entry code registers is not there yet: modpost only warns. Debug information would name the scratch folder.
  const argv = ["make", "V=1", ...target.make, `M=${folder}`, "KBUILD_MODPOST_WARN=1", "KCFLAGS=-g0", "modules"];
  const { stdout } = await run(task, argv, { cwd: target.tree });
  const savedLink = await savedCommand(folder, `${NAME}.ko`);
  // Newer builds work in the module's folder, and name what is there from there.
  const inFolder = !savedLink.includes(`${folder}/${NAME}.o`);
  const text = (command: string): string => (inFolder ? fromFolder(command) : command).replaceAll(folder, FOLDER);
  const modpost = /^(?:.*\|)?\s*(\S*scripts\/mod\/modpost .*)$/m.exec(stdout)?.[1];
  if (modpost === undefined) throw fail("BUILD_KBUILD", "make did not print how it runs modpost", { file: target.tree });
  const link = text(savedLink);
  const own = new Set([`${NAME}.o`, `${NAME}.mod.o`]);
  const common = link
    .split(/\s+/)
    .filter((word) => word.startsWith(`${FOLDER}/`) && word.endsWith(".o"))
    .map((word) => word.slice(FOLDER.length + 1))
    .filter((name) => !own.has(name));
  return {
    object: text(await savedCommand(folder, `${NAME}.o`)),
    modpost: text(modpost.trim()),
    compile: text(await savedCommand(folder, `${NAME}.mod.o`)),
    link,
    common: Object.fromEntries(
      await Promise.all(common.map(async (name) => [name, (await readFile(join(folder, name))).toString("base64")])),
    ),
    entry: (await readFile(join(folder, `${NAME}.o`))).toString("base64"),
  };
}

/** The command with whole paths of what it names in the module's folder; all else has them already. */
export function fromFolder(command: string): string {
  return command.replace(OWN_FILE, `${FOLDER}/$1`);
}

const OWN_FILE = new RegExp(
  String.raw`(?<=^|[\s,])(?:\./)?((?:\.?${NAME}|\.module-common)(?:\.\w+)+|modules\.order|Module\.symvers)(?=\s|$)`,
  "g",
);

/** `cmd_TARGET := COMMAND` (`savedcmd_` since 6.5), written for make. */
async function savedCommand(folder: string, name: string): Promise<string> {
  const file = join(folder, `.${name}.cmd`);
  const saved = await readFile(file, "utf8").catch(() => "");
  const command = /^(?:saved)?cmd_\S+ := (.*)$/m.exec(saved)?.[1];
  if (command === undefined) throw fail("BUILD_KBUILD", "make did not save how it makes this file", { file });
  return command.replaceAll("$(pound)", "#").replaceAll("$$", "$");
}
