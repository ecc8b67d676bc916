/**
 * The decoded form of an image as a file, named by the SHA-256 of the image that it was decoded from:
 *
 *     magic, version, size of the tables     (16 bytes)
 *     SHA-256 of the tables                  (32 bytes)
 *     tables                                 JSON with its length before it, then arrays, each padded to 8 bytes
 *     the ELF file                           in blocks, whose digests are among the tables
 *
 * The tables are read and checked when the file is opened, the blocks when they are needed. Whatever is not exactly as it was written counts
 * as not there. What is trusted is the directory: somebody who may write to it can make up a kernel.
 */
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { type FileHandle, mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { archOf } from "@suture/arch";
import { type ByteOrder, type ElfFormat, viewOf } from "@suture/elf";
import { markUsed, PARTIAL, writeAtomic } from "@suture/files";
import type { Task } from "@suture/task";
import { AddressSpace, type KernelAddress } from "./address.ts";
import { BLOCK, BlockFile, blockDigests, DIGEST } from "./block-file.ts";
import type { DecodedImage } from "./decode.ts";
import type { ImageParts } from "./image.ts";
import { ImageLayout, type ImageSection, type PerCpuArea } from "./layout.ts";
import type { Storage } from "./storage.ts";

const MAGIC = Buffer.from("SUTUREKI", "latin1");
/** To be raised with every change to what is decoded or how it is laid out here: older files are then decoded anew. */
const VERSION = 4;
/** Of the numbers here; the arrays are as the machine has them, which the cache is for. */
const ORDER: ByteOrder = "little";
const PREFIX = 16;
const HEADER = PREFIX + DIGEST;
const LARGEST_TABLES = 1 << 28;
const HOUR = 3_600_000;

/** What the JSON holds. `arrays` are the byte lengths of those that follow it, in the order of `toArrays`. */
interface Head {
  /** Of the ELF header. */
  machine: number;
  format: ElfFormat;
  /** The value of the image's base. */
  base: number;
  release: string;
  banner: string;
  buildId: string;
  sections: readonly ImageSection[];
  perCpu: PerCpuArea | undefined;
  hasRelocations: boolean;
  kallsyms: Readonly<Record<string, KernelAddress>>;
  elfSize: number;
  arrays: number[];
}

/** The file's name. It tells the version, so that programs of several versions can share a directory. */
export function cachedName(sha256: string, version = VERSION): string {
  return `${sha256}.${version}.image`;
}

/** The decoded form of the image with that SHA-256, or undefined if there is none that is sound. */
export function openCached(directory: string, sha256: string): DecodedImage | undefined {
  const path = join(directory, cachedName(sha256));
  let fd: number | undefined;
  try {
    fd = openSync(path, "r");
    const decoded = readCacheFile(fd, path);
    if (decoded !== undefined) {
      fd = undefined;
      markUsed(path);
    }
    return decoded;
  } catch (error) {
    // Not there or not readable: all the same to the caller, who decodes the image. Whatever else is thrown is a fault of ours.
    if (error instanceof Error && "syscall" in error) return undefined;
    throw error;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function readCacheFile(fd: number, path: string): DecodedImage | undefined {
  const header = Buffer.alloc(HEADER);
  if (readSync(fd, header, 0, HEADER, 0) !== HEADER) return undefined;
  const view = viewOf(header, ORDER);
  if (!header.subarray(0, 8).equals(MAGIC) || view.u32(8) !== VERSION) return undefined;
  const size = view.u32(12);
  if (size > LARGEST_TABLES) return undefined;
  const tables = Buffer.allocUnsafeSlow(size);
  if (readSync(fd, tables, 0, size, HEADER) !== size) return undefined;
  if (!createHash("sha256").update(tables).digest().equals(header.subarray(PREFIX))) return undefined;
  // From here on the tables are what a run of this version wrote.
  const jsonEnd = 8 + viewOf(tables, ORDER).u32(0);
  const head = JSON.parse(tables.toString("utf8", 8, jsonEnd)) as Head;
  if (fstatSync(fd).size !== HEADER + size + head.elfSize) return undefined;
  let at = pad8(jsonEnd);
  const spans = head.arrays.map((length) => {
    const span = { offset: at, length };
    at = pad8(at + length);
    return span;
  });
  const bytes = (i: number): Uint8Array => tables.subarray(spans[i]?.offset, (spans[i]?.offset ?? 0) + (spans[i]?.length ?? 0));
  const words = (i: number): Uint32Array => new Uint32Array(tables.buffer, spans[i]?.offset, (spans[i]?.length ?? 0) / 4);
  const parts: ImageParts = {
    arch: archOf(head),
    release: head.release,
    banner: head.banner,
    buildId: head.buildId,
    layout: new ImageLayout(new AddressSpace(head.base), head.sections, head.perCpu),
    kallsyms: head.kallsyms,
    symbols: {
      ranks: words(0),
      types: bytes(1),
      names: bytes(2),
      nameStarts: words(3),
      nameIndex: { heads: words(4), next: words(5) },
    },
    relocations: head.hasRelocations ? { abs32: words(6), inverse32: words(7), abs64: words(8) } : undefined,
  };
  return { parts, storage: new BlockFile(fd, path, HEADER + size, head.elfSize, bytes(9)) };
}

/** In the order in which `readCacheFile` counts them. */
function toArrays({ symbols, relocations }: ImageParts, digests: Uint8Array): (Uint8Array | Uint32Array)[] {
  const none = new Uint32Array(0);
  const { abs32, inverse32, abs64 } = relocations ?? { abs32: none, inverse32: none, abs64: none };
  const { ranks, types, names, nameStarts, nameIndex } = symbols;
  return [ranks, types, names, nameStarts, nameIndex.heads, nameIndex.next, abs32, inverse32, abs64, digests];
}

function encodeTables(parts: ImageParts, elfSize: number, digests: Uint8Array): Buffer {
  const arrays = toArrays(parts, digests);
  const { machine, format } = parts.arch;
  const head: Head = {
    machine,
    format,
    base: parts.layout.space.base,
    release: parts.release,
    banner: parts.banner,
    buildId: parts.buildId,
    sections: parts.layout.sections,
    perCpu: parts.layout.perCpu,
    hasRelocations: parts.relocations !== undefined,
    kallsyms: parts.kallsyms,
    elfSize,
    arrays: arrays.map((array) => array.byteLength),
  };
  const json = Buffer.from(JSON.stringify(head), "utf8");
  const start = Buffer.alloc(8);
  viewOf(start, ORDER).setU32(0, json.length);
  const pieces: Uint8Array[] = [start, json];
  let at = start.length + json.length;
  for (const array of arrays) {
    pieces.push(Buffer.alloc(pad8(at) - at), new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    at = pad8(at) + array.byteLength;
  }
  return Buffer.concat(pieces);
}

export async function writeCached(task: Task, directory: string, sha256: string, { parts, storage }: DecodedImage): Promise<void> {
  const tables = encodeTables(parts, storage.size, blockDigests(storage));
  const header = Buffer.alloc(HEADER);
  MAGIC.copy(header);
  const view = viewOf(header, ORDER);
  view.setU32(8, VERSION);
  view.setU32(12, tables.length);
  createHash("sha256").update(tables).digest().copy(header, PREFIX);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await removeUnfinished(directory);
  await removeOlder(directory, sha256);
  const content = async (file: FileHandle): Promise<void> => {
    await writeAt(file, header, 0);
    await writeAt(file, tables, HEADER);
    await writeBlocks(task, file, HEADER + tables.length, storage);
    await file.truncate(HEADER + tables.length + storage.size);
  };
  await writeAtomic(join(directory, cachedName(sha256)), content, 0o600);
}

/** Leaves blocks of zeros out: they become holes in the file. */
async function writeBlocks(task: Task, handle: FileHandle, start: number, storage: Storage): Promise<void> {
  const zeros = Buffer.alloc(BLOCK);
  for (let offset = 0; offset < storage.size; offset += BLOCK) {
    task.check();
    const block = storage.read(offset, Math.min(BLOCK, storage.size - offset));
    if (zeros.compare(block, 0, block.length, 0, block.length) !== 0) await writeAt(handle, block, start + offset);
  }
}

async function writeAt(handle: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}

/** Files that a killed run left behind. No write takes an hour. */
async function removeUnfinished(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith(PARTIAL)) continue;
    const path = join(directory, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > HOUR) await rm(path, { force: true });
  }
}

/** What earlier versions kept of the image; the second had no number in the name. */
async function removeOlder(directory: string, sha256: string): Promise<void> {
  const older = [`${sha256}.image`, ...Array.from({ length: VERSION }, (_, version) => cachedName(sha256, version))];
  for (const name of older) await rm(join(directory, name), { force: true });
}

function pad8(value: number): number {
  return Math.ceil(value / 8) * 8;
}
