/**
 * Packed bytes → bytes, for kernel payloads and modules. gzip and legacy LZ4 are unpacked here, the others by the system's programs: their
 * decoders in JavaScript take twice the time or lack the filter for code that kernels use. The output is bounded in every case.
 */
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { viewOf } from "@suture/elf";
import { start, type Task } from "@suture/task";
import { fail } from "./errors.ts";
import { LZ4_LEGACY_MAGIC, unpackLz4 } from "./lz4.ts";

export type Compression = "gzip" | "lz4" | "xz" | "zstd" | "lzma" | "bzip2" | "lzo";

const MAGICS: readonly { kind: Compression; bytes: readonly number[] }[] = [
  { kind: "gzip", bytes: [0x1f, 0x8b] },
  { kind: "lz4", bytes: [0x02, 0x21, 0x4c, 0x18] },
  { kind: "xz", bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { kind: "zstd", bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { kind: "lzma", bytes: [0x5d, 0x00, 0x00] },
  { kind: "bzip2", bytes: [0x42, 0x5a, 0x68] },
  { kind: "lzo", bytes: [0x89, 0x4c, 0x5a, 0x4f] },
];

/** The programs read stdin and write stdout. A packed file may ask for gigabytes of dictionary: the first two are told to refuse. */
const PROGRAMS: Partial<Record<Compression, { argv: readonly string[]; packageName: string }>> = {
  xz: { argv: ["xz", "--decompress", "--stdout", "--memlimit-decompress=512MiB"], packageName: "xz-utils" },
  lzma: { argv: ["xz", "--format=lzma", "--decompress", "--stdout", "--memlimit-decompress=512MiB"], packageName: "xz-utils" },
  zstd: { argv: ["zstd", "--decompress", "--stdout", "--quiet", "--memory=512MB"], packageName: "zstd" },
  bzip2: { argv: ["bzip2", "--decompress", "--stdout"], packageName: "bzip2" },
};

const gunzipBounded = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(gunzip);

/** How `bytes` are packed, by their first bytes. */
export function compressionOf(bytes: Uint8Array): Compression | undefined {
  return MAGICS.find((magic) => magic.bytes.every((byte, i) => bytes[i] === byte))?.kind;
}

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

/** @throws KERNEL_BAD_PAYLOAD, KERNEL_TOO_BIG, KERNEL_COMPRESSION_UNSUPPORTED, KERNEL_UNPACKER_MISSING */
export async function decompress(task: Task, kind: Compression, packed: Packed): Promise<Uint8Array> {
  const { file, fileOffset, size } = packed;
  const limit = Math.min(packed.limit, size ?? packed.limit);
  const out = await unpack(task, kind, packed, limit);
  if (size !== undefined && out.length !== size)
    throw fail("KERNEL_BAD_PAYLOAD", `unpacks (${kind}) to ${out.length} bytes, the file gives ${size}`, { file, offset: fileOffset });
  return out;
}

async function unpack(task: Task, kind: Compression, packed: Packed, limit: number): Promise<Uint8Array> {
  const { bytes, file, fileOffset, size } = packed;
  const where = { file, offset: fileOffset };
  if (kind === "gzip") {
    try {
      return await gunzipBounded(bytes, { maxOutputLength: limit });
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw fail("KERNEL_BAD_PAYLOAD", `the gzip data do not unpack within ${limit} bytes: ${why}`, where, { cause });
    }
  }
  if (kind === "lz4" && size !== undefined && viewOf(bytes, "little").u32(0) === LZ4_LEGACY_MAGIC)
    return unpackLz4(bytes, size, file, fileOffset);
  const program = PROGRAMS[kind];
  if (program === undefined) throw fail("KERNEL_COMPRESSION_UNSUPPORTED", `the data are packed with ${kind}`, where);
  return pipe(task, program, kind, packed, limit);
}

/** Unpacks through a program. It is killed as soon as it has written more than `limit` bytes. */
async function pipe(
  task: Task,
  program: { argv: readonly string[]; packageName: string },
  kind: Compression,
  { bytes, size, file, fileOffset }: Packed,
  limit: number,
): Promise<Uint8Array> {
  const started = performance.now();
  const where = { file, offset: fileOffset };
  const child = start(task, program.argv, { env: { ...process.env, LC_ALL: "C" }, stdio: ["pipe", "pipe", "pipe"] });
  const output = size === undefined ? new GrowingOutput() : new KnownOutput(size);
  let total = 0;
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    if (total + chunk.length <= limit) output.add(chunk, total);
    else child.kill("SIGKILL");
    total += chunk.length;
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    if (stderr.length < 1000) stderr += chunk.toString();
  });
  // A program that ends early closes its input; its exit code tells why.
  child.stdin?.on("error", () => {});
  child.stdin?.end(bytes);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "ENOENT"
          ? fail("KERNEL_UNPACKER_MISSING", `the data are packed with ${kind} and ${program.argv[0]} is not installed`, where, {
              mend: `Install it: apt-get install ${program.packageName}`,
            })
          : fail("KERNEL_BAD_PAYLOAD", `${program.argv[0]} could not be started: ${error.message}`, where, { cause: error }),
      ),
    );
    child.once("close", resolve);
  });
  task.reporter.command(program.argv.join(" "), performance.now() - started);
  task.check();
  if (total > limit) throw fail("KERNEL_TOO_BIG", `the ${kind} data unpack to more than ${limit} bytes`, where);
  if (code !== 0) throw fail("KERNEL_BAD_PAYLOAD", `${program.argv[0]} does not unpack the data: ${stderr.trim()}`, where);
  return output.bytes(total);
}

/** Output whose size is known: written to where it stays. */
class KnownOutput {
  readonly #out: Buffer;

  constructor(size: number) {
    this.#out = Buffer.allocUnsafeSlow(size);
  }

  add(chunk: Buffer, at: number): void {
    this.#out.set(chunk, at);
  }

  bytes(total: number): Uint8Array {
    return this.#out.subarray(0, total);
  }
}

class GrowingOutput {
  readonly #chunks: Buffer[] = [];

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  bytes(total: number): Uint8Array {
    return Buffer.concat(this.#chunks, total);
  }
}
