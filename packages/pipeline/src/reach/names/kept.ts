/** The index as a file: the hash of all that follows, how long its JSON is, that, and its arrays. A file that is not whole is made anew. */
import { readFile } from "node:fs/promises";
import { keepFile, markUsed, sha256 } from "@suture/files";
import type { Task } from "@suture/task";
import * as v from "valibot";
import type { IndexData } from "./index.ts";

const HASH = 64;
const LENGTH = 12;

const HEAD = v.object({
  words: v.array(v.string()),
  files: v.array(v.string()),
  sources: v.array(v.string()),
  pasting: v.array(v.tuple([v.number(), v.array(v.nullable(v.string()))])),
  coding: v.array(v.number()),
  own: v.array(v.tuple([v.number(), v.array(v.nullable(v.string()))])),
  lengths: v.array(v.number()),
});

export function packed({ arrays, ...rest }: IndexData): Buffer {
  const head = Buffer.from(JSON.stringify({ ...rest, lengths: arrays.map(({ length }) => length) }));
  const bytes = arrays.map((array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength));
  const all = Buffer.concat([Buffer.from(String(head.length).padStart(LENGTH)), head, ...bytes]);
  return Buffer.concat([Buffer.from(sha256(all)), all]);
}

/** @returns undefined of what is not all that was packed */
export function unpacked(file: Buffer): IndexData | undefined {
  const all = file.subarray(HASH);
  if (file.length < HASH + LENGTH || file.subarray(0, HASH).toString("latin1") !== sha256(all)) return undefined;
  const length = Number(all.subarray(0, LENGTH).toString("latin1"));
  const head = v.safeParse(HEAD, JSON.parse(all.subarray(LENGTH, LENGTH + length).toString()));
  if (!head.success) return undefined;
  const { lengths, ...rest } = head.output;
  let at = LENGTH + length;
  const arrays = lengths.map((count) => {
    const array = new Int32Array(count);
    all.copy(new Uint8Array(array.buffer), 0, at, at + 4 * count);
    at += 4 * count;
    return array;
  });
  return { ...rest, arrays };
}

export async function readIndex(path: string): Promise<IndexData | undefined> {
  const file = await readFile(path).catch(() => undefined);
  if (file === undefined) return undefined;
  markUsed(path);
  return unpacked(file);
}

/** A full or unwritable disk costs the time of making it again. */
export async function keepIndex(task: Task, path: string, data: IndexData): Promise<void> {
  try {
    await keepFile(path, packed(data));
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
    task.reporter.warn(`something could not be kept for the next run: ${error.message}`);
  }
}
