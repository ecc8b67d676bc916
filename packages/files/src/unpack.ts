/**
 * Packed bytes → bytes, never more than was said. gzip is unpacked here, the others by the system's programs: their decoders in JavaScript take
 * twice the time or lack the filter for machine code that kernels use.
 */
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { start, type Task } from "@suture/task";

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

interface Program {
  argv: readonly string[];
  packageName: string;
}

/** The programs read stdin and write stdout. A packed file may ask for gigabytes of dictionary: the first two are told to refuse. */
const PROGRAMS: Partial<Record<Compression, Program>> = {
  xz: { argv: ["xz", "--decompress", "--stdout", "--memlimit-decompress=512MiB"], packageName: "xz-utils" },
  lzma: { argv: ["xz", "--format=lzma", "--decompress", "--stdout", "--memlimit-decompress=512MiB"], packageName: "xz-utils" },
  zstd: { argv: ["zstd", "--decompress", "--stdout", "--quiet", "--memory=512MB"], packageName: "zstd" },
  bzip2: { argv: ["bzip2", "--decompress", "--stdout"], packageName: "bzip2" },
};

const gunzipTo = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(gunzip);

/** How `bytes` are packed, by their first bytes. */
export function compressionOf(bytes: Uint8Array): Compression | undefined {
  return MAGICS.find((magic) => magic.bytes.every((byte, i) => bytes[i] === byte))?.kind;
}

/** @throws what zlib says, also where there is more than `limit` bytes */
export function gunzipWithin(bytes: Uint8Array, limit: number): Promise<Buffer> {
  return gunzipTo(bytes, { maxOutputLength: limit });
}

/** Why something was not unpacked. */
export interface NotUnpacked {
  what: "unknown" | "damaged" | "too big" | "no program";
  why: string;
  /** The package with the program that is missing. */
  packageName?: string;
}

export interface Bounds {
  /** Bytes that it may unpack to at most. */
  limit: number;
  /** Bytes that it must unpack to, where that is known. */
  size?: number | undefined;
}

/** @throws CANCELLED */
export async function unpackWithin(task: Task, kind: Compression, bytes: Uint8Array, bounds: Bounds): Promise<Uint8Array | NotUnpacked> {
  const limit = Math.min(bounds.limit, bounds.size ?? bounds.limit);
  if (kind === "gzip")
    return gunzipWithin(bytes, limit).catch((cause: unknown): NotUnpacked => {
      const said = cause instanceof Error ? cause.message : String(cause);
      return { what: "damaged", why: `the gzip data do not unpack within ${limit} bytes: ${said}` };
    });
  const program = PROGRAMS[kind];
  if (program === undefined) return { what: "unknown", why: `the data are packed with ${kind}` };
  return pipe(task, program, kind, bytes, limit, bounds.size);
}

/** Unpacks through a program. It is killed as soon as it has written more than `limit` bytes. */
async function pipe(
  task: Task,
  { argv, packageName }: Program,
  kind: Compression,
  bytes: Uint8Array,
  limit: number,
  size: number | undefined,
): Promise<Uint8Array | NotUnpacked> {
  const started = performance.now();
  const child = start(task, argv, { env: { ...process.env, LC_ALL: "C" }, stdio: ["pipe", "pipe", "pipe"] });
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
  const code = await new Promise<number | null | NodeJS.ErrnoException>((resolve) => {
    child.once("error", resolve);
    child.once("close", resolve);
  });
  task.reporter.command(argv.join(" "), performance.now() - started);
  task.check();
  if (code instanceof Error)
    return code.code === "ENOENT"
      ? { what: "no program", why: `the data are packed with ${kind} and ${argv[0]} is not installed`, packageName }
      : { what: "damaged", why: `${argv[0]} could not be started: ${code.message}` };
  if (total > limit) return { what: "too big", why: `the ${kind} data unpack to more than ${limit} bytes` };
  if (code !== 0) return { what: "damaged", why: `${argv[0]} does not unpack the data: ${stderr.trim()}` };
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
