/** Files of a cache: whoever finds one missing or damaged makes it anew. */
import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Task } from "@suture/task";
import * as v from "valibot";
import { writeAtomic } from "./atomic.ts";
import { markUsed } from "./sweep.ts";

/** What is kept there; undefined where it is not there, or not what was written: it is then made anew. */
export async function readKept<T>(path: string, schema: v.GenericSchema<T>): Promise<T | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const checked = v.safeParse(schema, value, { abortEarly: true });
  if (!checked.success) return undefined;
  markUsed(path);
  return checked.output;
}

/** A full or unwritable disk costs time only: that of making it again. */
export function keepJson(task: Task, path: string, value: unknown): Promise<void> {
  return keepBytes(task, path, JSON.stringify(value));
}

/** The same. */
export async function keepBytes(task: Task, path: string, content: string | Uint8Array): Promise<void> {
  try {
    await keepFile(path, content);
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
    task.reporter.warn(`something could not be kept for the next run: ${error.message}`);
  }
}

/** With the directory that it is in. */
export async function keepFile(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeAtomic(path, content);
}
