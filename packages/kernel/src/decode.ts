/** A vmlinuz or vmlinux in memory → its parts. */
import { archOf, archs, type BootImage } from "@suture/arch";
import { type ElfObject, ET, readElf, viewOf } from "@suture/elf";
import { compressionOf } from "@suture/files";
import type { Task } from "@suture/task";
import { AddressSpace } from "./address.ts";
import { readBanner } from "./banner.ts";
import { decompress } from "./decompress.ts";
import { fail } from "./errors.ts";
import type { ImageParts } from "./image.ts";
import { readKallsyms } from "./kallsyms.ts";
import { readLayout } from "./layout.ts";
import { buildIdOf } from "./notes.ts";
import { isRelease } from "./release.ts";
import { readRelocationTable } from "./relocation-table.ts";
import { memoryStorage, type Storage } from "./storage.ts";
import { SymbolTable } from "./symbols.ts";

/** Kernels unpack to 50-70 MB; with everything built in and debugging on, to some hundred. */
const LARGEST_IMAGE = 1 << 30;
const SECTION_HEADER = 64;

export interface DecodedImage {
  parts: ImageParts;
  /** The ELF file. */
  storage: Storage;
}

export async function decodeImage(task: Task, bytes: Uint8Array, file: string): Promise<DecodedImage> {
  const boot = readBootImage(bytes, file);
  const packed = boot !== undefined;
  const unpacked = packed ? await unpackBootImage(task, boot, file) : { bytes, release: undefined };
  if (!packed && (bytes.length < 4 || viewOf(bytes, "big").u32(0) !== 0x7f454c46))
    throw fail("KERNEL_NOT_AN_IMAGE", `neither ${archs.map(({ image }) => image.header).join(", ")} nor an ELF header is there`, {
      file,
      offset: 0,
    });
  task.check();
  const elf = readElf(unpacked.bytes, file);
  if (elf.type !== ET.EXEC)
    throw fail("KERNEL_NOT_AN_IMAGE", `an ELF file of type ${elf.type} is no kernel image, which has type ${ET.EXEC}`, {
      file,
      offset: 16,
    });
  const arch = archOf(elf);
  const { order } = arch.format;
  const end = elfEnd(elf);
  const storage = memoryStorage(unpacked.bytes.subarray(0, end));
  const layout = readLayout(elf, new AddressSpace(arch.image.base(elf)));
  const relocations = packed ? readRelocationTable(unpacked.bytes.subarray(end), arch, layout, file, end) : undefined;
  const { symbols, own } = readKallsyms(storage, layout, order, file);
  task.check();
  const banner = readBanner(storage, layout, new SymbolTable(symbols, layout.space), unpacked.release, file);
  const buildId = buildIdOf(elf);
  if (buildId === undefined) throw fail("KERNEL_BAD_NOTE", "no note section holds a build-id", { file });
  return { parts: { arch, ...banner, buildId, layout, relocations, symbols, kallsyms: own }, storage };
}

/** Undefined for what is no boot image of any processor. */
function readBootImage(bytes: Uint8Array, file: string): BootImage | undefined {
  const boot = archs.find(({ image }) => image.isBootImage(bytes))?.image.readBootImage(bytes);
  if (boot === undefined) return undefined;
  if ("why" in boot) throw fail(boot.what === "header" ? "KERNEL_BAD_HEADER" : "KERNEL_TRUNCATED", boot.why, { file, offset: boot.offset });
  if (!isRelease(boot.release))
    throw fail("KERNEL_BAD_HEADER", `"${boot.release.slice(0, 80)}" is no kernel release`, { file, offset: boot.releaseAt });
  return boot;
}

async function unpackBootImage(
  task: Task,
  { payload, payloadAt, release }: BootImage,
  file: string,
): Promise<{ bytes: Uint8Array; release: string }> {
  const where = { file, offset: payloadAt };
  const kind = compressionOf(payload);
  if (kind === undefined)
    throw fail("KERNEL_COMPRESSION_UNSUPPORTED", `the payload starts with ${Buffer.from(payload.subarray(0, 6)).toString("hex")}`, where);
  const size = viewOf(payload, "little").u32(payload.length - 4);
  if (size > LARGEST_IMAGE) throw fail("KERNEL_TOO_BIG", `the payload is said to unpack to ${size} bytes`, where);
  // gzip ends with the size by itself.
  const data = kind === "gzip" ? payload : payload.subarray(0, payload.length - 4);
  return { bytes: await decompress(task, kind, { bytes: data, size, limit: LARGEST_IMAGE, file, fileOffset: payloadAt }), release };
}

/** Where the ELF file ends by its own tables. */
function elfEnd(elf: ElfObject): number {
  let end = (elf.shoff ?? 0) + (elf.sections.length + 1) * SECTION_HEADER;
  for (const section of elf.sections) if (section.origin !== undefined) end = Math.max(end, section.origin.offset + section.data.length);
  for (const segment of elf.segments) end = Math.max(end, segment.offset + segment.filesz);
  return end;
}
