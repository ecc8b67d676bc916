/** Where the bytes of an image are read from: memory, or the cache file. Offsets are those of the ELF file. */
export interface Storage {
  /** Bytes. */
  readonly size: number;
  /** Exactly `length` bytes at `offset`, which lie inside of `size`. Not to be written to. */
  read(offset: number, length: number): Uint8Array;
  close(): void;
}

export function memoryStorage(bytes: Uint8Array): Storage {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length), close() {} };
}
