/** Files of the cache that are there whole or not at all, whoever else writes the same. */
import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { Task } from "@suture/task";
import * as v from "valibot";

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
  return checked.success ? checked.output : undefined;
}

/** A full or unwritable disk costs time only: that of making it again. */
export async function keepJson(task: Task, path: string, value: unknown): Promise<void> {
  try {
    await keepFile(path, JSON.stringify(value));
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
    task.reporter.warn(`something could not be kept for the next run: ${error.message}`);
  }
}

/** It is on the disk when it takes its name: a power cut leaves no empty file. */
export async function keepFile(path: string, content: string | Uint8Array): Promise<void> {
  const part = `${path}.${randomBytes(6).toString("hex")}.part`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(part, "wx");
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(part, path);
  } finally {
    await rm(part, { force: true });
  }
}
