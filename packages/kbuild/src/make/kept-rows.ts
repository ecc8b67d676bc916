/**
 * The command lines of all objects of a kernel as a file: each word once, and of each line the numbers of its words. A line is put together when it is
 * asked for, as a run needs few of thousands. What is not exactly as it was written counts as not there.
 *
 *     SHA-1 of all that follows    (20 bytes)
 *     size of the JSON             (4 bytes)
 *     JSON                         padded to 4 bytes
 *     numbers of words             (4 bytes each)
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { endianness } from "node:os";
import { keepBytes, markUsed } from "@suture/files";
import type { Task } from "@suture/task";
import type { Row } from "./row.ts";
import type { Printed } from "./steps.ts";

const DIGEST = 20;
const HEADER = DIGEST + 4;

interface Head {
  words: string[];
  /** Sets of folders, each once. */
  folders: string[][];
  rows: [object: string, source: string, owner: string, folders: number, compile: number, objtool: number][];
  printed: Printed;
}

class KeptRow implements Row {
  readonly object: string;
  readonly source: string;
  readonly owner: string;
  readonly folders: readonly string[];
  readonly #line: (from: number, to: number) => string;
  readonly #ends: readonly [from: number, middle: number, to: number];

  constructor(
    [object, source, owner]: Head["rows"][number],
    folders: readonly string[],
    line: (from: number, to: number) => string,
    ends: readonly [number, number, number],
  ) {
    this.object = object;
    this.source = source;
    this.owner = owner;
    this.folders = folders;
    this.#line = line;
    this.#ends = ends;
  }

  get compile(): string {
    return this.#line(this.#ends[0], this.#ends[1]);
  }

  get objtool(): string {
    return this.#line(this.#ends[1], this.#ends[2]);
  }
}

export async function readRows(path: string): Promise<{ rows: Row[]; printed: Printed } | undefined> {
  const file = await readFile(path).catch(() => undefined);
  // The numbers are as the machine has them.
  if (file === undefined || file.length < HEADER || !digestOf(file.subarray(DIGEST)).equals(file.subarray(0, DIGEST))) return undefined;
  markUsed(path);
  const [size = 0] = numbersIn(file, DIGEST, HEADER);
  const { words, folders, rows, printed } = JSON.parse(file.toString("utf8", HEADER, HEADER + size)) as Head;
  const start = pad4(HEADER + size);
  const numbers = numbersIn(file, start, file.length);
  const line = (from: number, to: number): string => Array.from(numbers.subarray(from, to), (number) => words[number]).join(" ");
  let at = 0;
  const read = rows.map((row) => {
    const [, , , group, compile, objtool] = row;
    const from = at;
    at += compile + objtool;
    return new KeptRow(row, folders[group] ?? [], line, [from, from + compile, at]);
  });
  return { rows: read, printed };
}

export async function keepRows(task: Task, path: string, rows: readonly Row[], printed: Printed): Promise<void> {
  const words = new Map<string, number>();
  const folders = new Map<string, { number: number; set: readonly string[] }>();
  const numbers: number[] = [];
  const add = (line: string): number => {
    const parts = line === "" ? [] : line.split(" ");
    for (const word of parts) numbers.push(numberOf(words, word));
    return parts.length;
  };
  const lines = rows.map((row): Head["rows"][number] => {
    const key = row.folders.join(" ");
    const group = folders.get(key) ?? { number: folders.size, set: row.folders };
    folders.set(key, group);
    return [row.object, row.source, row.owner, group.number, add(row.compile), add(row.objtool)];
  });
  const head: Head = { words: [...words.keys()], folders: [...folders.values()].map(({ set }) => [...set]), rows: lines, printed };
  const json = Buffer.from(JSON.stringify(head));
  const size = Buffer.from(Uint32Array.of(json.length).buffer);
  const padding = Buffer.alloc(pad4(HEADER + json.length) - HEADER - json.length);
  const rest = Buffer.concat([size, json, padding, Buffer.from(Uint32Array.from(numbers).buffer)]);
  await keepBytes(task, path, Buffer.concat([digestOf(rest), rest]));
}

function numberOf(words: Map<string, number>, word: string): number {
  const known = words.get(word) ?? words.size;
  words.set(word, known);
  return known;
}

function numbersIn(file: Buffer, from: number, to: number): Uint32Array {
  return new Uint32Array(file.buffer.slice(file.byteOffset + from, file.byteOffset + to));
}

/** Finds damage. Whoever may write to a cache is trusted. */
function digestOf(bytes: Uint8Array): Buffer {
  return createHash("sha1").update(endianness()).update(bytes).digest();
}

function pad4(size: number): number {
  return (size + 3) & ~3;
}
