/** Packed kernel payloads and modules → bytes. Legacy LZ4 is unpacked by ourselves, all else as packages/files does it. */
import { viewOf } from "@suture/elf";
import { type Compression, type NotUnpacked, unpackWithin } from "@suture/files";
import type { Task } from "@suture/task";
import { fail } from "./errors.ts";
import { LZ4_LEGACY_MAGIC, unpackLz4 } from "./lz4.ts";

export interface Packed {
  bytes: Uint8Array;
  /** Bytes that it must unpack to, where the file says so. */
  size: number | undefined;
  /** Bytes that it may unpack to at most. */
  limit: number;
  file: string;
  /** Of `bytes` in `file`, for errors. */
  fileOffset: number;
}

const CODES: Readonly<Record<NotUnpacked["what"], Parameters<typeof fail>[0]>> = {
  unknown: "KERNEL_COMPRESSION_UNSUPPORTED",
  damaged: "KERNEL_BAD_PAYLOAD",
  "too big": "KERNEL_TOO_BIG",
  "no program": "KERNEL_UNPACKER_MISSING",
};

/** @throws KERNEL_BAD_PAYLOAD, KERNEL_TOO_BIG, KERNEL_COMPRESSION_UNSUPPORTED, KERNEL_UNPACKER_MISSING */
export async function decompress(task: Task, kind: Compression, { bytes, size, limit, file, fileOffset }: Packed): Promise<Uint8Array> {
  const where = { file, offset: fileOffset };
  if (kind === "lz4" && size !== undefined && viewOf(bytes, "little").u32(0) === LZ4_LEGACY_MAGIC)
    return unpackLz4(bytes, size, file, fileOffset);
  const out = await unpackWithin(task, kind, bytes, { limit, size });
  if (!(out instanceof Uint8Array)) {
    const { what, why, packageName } = out;
    throw fail(CODES[what], why, where, packageName === undefined ? {} : { mend: `Install it: apt-get install ${packageName}` });
  }
  if (size !== undefined && out.length !== size)
    throw fail("KERNEL_BAD_PAYLOAD", `unpacks (${kind}) to ${out.length} bytes, the file gives ${size}`, where);
  return out;
}
