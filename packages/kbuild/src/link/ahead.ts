/**
 * The object of a module's .mod.c, compiled while other compilers run: of the text that the last module of the kernel had. A fix that is built again has
 * the same, and so has any that imports the same symbols. It is used where modpost then writes that very text, and is of no account elsewhere.
 */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { keepBytes, markUsed } from "@suture/files";
import { newScratch, type Target } from "@suture/sources";
import { run, silentReporter, Task } from "@suture/task";
import { keyOf } from "../make/key.ts";
import { FOLDER, NAME, type Recipe } from "./recipe.ts";

export interface Ahead {
  /** Undefined where another text was compiled, or none. */
  objectOf(text: string): Promise<Uint8Array | undefined>;
}

export const NOTHING_AHEAD: Ahead = { objectOf: async () => undefined };

/** What a module is linked for. */
export interface LinkPlace {
  target: Target;
  recipe: Recipe;
  /** The directory that keeps what later runs can use. */
  cache: string;
}

/** To be raised with every change to what is kept. */
const VERSION = 1;

/** @param name of the module as the kernel has it */
export async function compilingAhead<T>(task: Task, place: LinkPlace, name: string, work: (ahead: Ahead) => Promise<T>): Promise<T> {
  const text = await readFile(keptPath(place), "latin1").catch(() => undefined);
  if (text === undefined) return work(NOTHING_AHEAD);
  markUsed(keptPath(place));
  const folder = await newScratch("ahead");
  const others = new AbortController();
  // What is not wanted in the end is not told, neither as a command nor as a failure.
  const aside = new Task(silentReporter, AbortSignal.any([task.signal, others.signal]));
  const object = compiled(aside, place, { name, folder, text }).catch(() => undefined);
  try {
    return await work({ objectOf: async (wanted) => (wanted === text ? object : undefined) });
  } finally {
    others.abort();
    await object;
    await rm(folder, { recursive: true, force: true });
  }
}

export function keepForNext(task: Task, place: LinkPlace, text: string): Promise<void> {
  return keepBytes(task, keptPath(place), Buffer.from(text, "latin1"));
}

async function compiled(
  task: Task,
  { target, recipe }: LinkPlace,
  { name, folder, text }: { name: string; folder: string; text: string },
): Promise<Uint8Array> {
  await writeFile(join(folder, `${name}.mod.c`), text, "latin1");
  await run(task, ["sh", "-c", recipe.compile.replaceAll(FOLDER, folder).replaceAll(NAME, name)], { cwd: target.tree });
  return readFile(join(folder, `${name}.mod.o`));
}

function keptPath({ target, recipe, cache }: LinkPlace): string {
  return join(cache, "kbuild", `${keyOf(target, ["module text", VERSION, recipe.modpost, recipe.compile])}.mod.c`);
}
