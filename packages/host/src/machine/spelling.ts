/** A livepatch by any of the names that it has: of its module, with dashes, of its file, or without the `livepatch-` that a build puts before it. */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { moduleName } from "@suture/livepatch";
import { readModuleFile } from "../module/module-file.ts";
import type { Snapshot } from "./snapshot.ts";

const PREFIX = "livepatch_";

/** The names that a word may stand for, the nearest first. A path that leads to a livepatch stands for what is in it. */
async function meanings(word: string): Promise<string[]> {
  if (word.includes("/") && existsSync(word)) return [(await readModuleFile(word)).name];
  const plain = moduleName(basename(word).replace(/\.ko$/, ""));
  return [plain, plain.startsWith(PREFIX) ? plain.slice(PREFIX.length) : `${PREFIX}${plain}`];
}

/** The one of `known` that a word stands for; else its plain form, for the refusal that follows. */
export async function nameAmong(word: string, known: readonly string[]): Promise<string> {
  const names = await meanings(word);
  return names.find((name) => known.includes(name)) ?? names[0]?.replace(/\W/g, "?") ?? "";
}

/** Of a livepatch in the kernel, with or without effect. */
export function loadedName(now: Snapshot, word: string): Promise<string> {
  return nameAmong(word, [...now.patches.map(({ name }) => name), ...now.idle]);
}
