/**
 * The ELF file inside of a cache file, read in blocks when they are asked for. Each block is held against its digest when it comes from the
 * disk, so that a damaged file is never taken for the kernel.
 */
import { createHash } from "node:crypto";
import { closeSync, readSync, unlinkSync } from "node:fs";
import { fail } from "./errors.ts";
import type { Storage } from "./storage.ts";

export const BLOCK = 1 << 16;
export const DIGEST = 32;

export class BlockFile implements Storage {
  readonly size: number;
  readonly #path: string;
  readonly #start: number;
  readonly #digests: Uint8Array;
  readonly #blocks = new Map<number, Uint8Array>();
  #fd: number | undefined;

  /**
   * @param fd of the open file at `path`; closed by `close`
   * @param start byte offset of the first block in the file
   * @param size bytes; the last block may be shorter than the others
   * @param digests SHA-256 of each block, one after the other
   */
  constructor(fd: number, path: string, start: number, size: number, digests: Uint8Array) {
    this.#fd = fd;
    this.#path = path;
    this.#start = start;
    this.size = size;
    this.#digests = digests;
  }

  /** @throws KERNEL_CACHE_DAMAGED */
  read(offset: number, length: number): Uint8Array {
    const first = Math.floor(offset / BLOCK);
    const last = Math.floor((offset + Math.max(length, 1) - 1) / BLOCK);
    if (first === last) return this.#block(first).subarray(offset - first * BLOCK, offset - first * BLOCK + length);
    const out = Buffer.allocUnsafeSlow(length);
    for (let index = first; index <= last; index++) {
      const start = index * BLOCK;
      const from = Math.max(offset, start);
      const to = Math.min(offset + length, start + this.#sizeOf(index));
      const target = out.subarray(from - offset, to - offset);
      // A whole block goes straight to where it is wanted: long reads (BTF) are not kept twice.
      if (target.length === this.#sizeOf(index) && !this.#blocks.has(index)) this.#load(index, target);
      else target.set(this.#block(index).subarray(from - start, to - start));
    }
    return out;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #sizeOf(index: number): number {
    return Math.min(BLOCK, this.size - index * BLOCK);
  }

  #block(index: number): Uint8Array {
    const known = this.#blocks.get(index);
    if (known !== undefined) return known;
    const block = Buffer.allocUnsafeSlow(this.#sizeOf(index));
    this.#load(index, block);
    this.#blocks.set(index, block);
    return block;
  }

  #load(index: number, target: Uint8Array): void {
    const where = { file: this.#path, offset: this.#start + index * BLOCK };
    if (this.#fd === undefined) throw fail("KERNEL_UNREADABLE", "was closed", where, { mend: "This is a fault in Suture: report it." });
    let filled = 0;
    while (filled < target.length) {
      const count = readSync(this.#fd, target, filled, target.length - filled, where.offset + filled);
      if (count === 0) break;
      filled += count;
    }
    const digest = createHash("sha256").update(target).digest();
    if (filled === target.length && digest.equals(this.#digests.subarray(index * DIGEST, (index + 1) * DIGEST))) return;
    try {
      unlinkSync(this.#path);
    } catch {
      // Another run has removed it.
    }
    throw fail("KERNEL_CACHE_DAMAGED", "a block is not what was written", where);
  }
}

/** Digests of all blocks, for a file to be written. */
export function blockDigests(storage: Storage): Uint8Array {
  const count = Math.ceil(storage.size / BLOCK);
  const digests = new Uint8Array(count * DIGEST);
  for (let index = 0; index < count; index++) {
    const block = storage.read(index * BLOCK, Math.min(BLOCK, storage.size - index * BLOCK));
    digests.set(createHash("sha256").update(block).digest(), index * DIGEST);
  }
  return digests;
}
