/**
 * The setup header of a bzImage. Source: the Linux/x86 boot protocol, version 2.08 and later (Documentation/arch/x86/boot.rst).
 */
import { defineRecord, viewOf } from "@suture/elf";
import type { BadBootImage, BootImage } from "../image.ts";

/** The header starts here in the file. */
const HEADER_AT = 0x1f1;

const SetupHeader = defineRecord({
  setup_sects: "u8",
  root_flags: "u16",
  syssize: "u32",
  ram_size: "u16",
  vid_mode: "u16",
  root_dev: "u16",
  boot_flag: "u16",
  jump: "u16",
  header: "u32",
  version: "u16",
  realmode_swtch: "u32",
  start_sys_seg: "u16",
  kernel_version: "u16",
  type_of_loader: "u8",
  loadflags: "u8",
  setup_move_size: "u16",
  code32_start: "u32",
  ramdisk_image: "u32",
  ramdisk_size: "u32",
  bootsect_kludge: "u32",
  heap_end_ptr: "u16",
  ext_loader_ver: "u8",
  ext_loader_type: "u8",
  cmd_line_ptr: "u32",
  initrd_addr_max: "u32",
  kernel_alignment: "u32",
  relocatable_kernel: "u8",
  min_alignment: "u8",
  xloadflags: "u16",
  cmdline_size: "u32",
  hardware_subarch: "u32",
  hardware_subarch_data_low: "u32",
  hardware_subarch_data_high: "u32",
  payload_offset: "u32",
  payload_length: "u32",
});

const BOOT_FLAG = 0xaa55;
/** "HdrS" */
const HEADER_MAGIC = 0x53726448;
/** The protocol version that brought payload_offset. */
const WITH_PAYLOAD = 0x208;
const SECTOR = 512;
/** Longer than any utsname text: release, builder and version with some words between. */
const LONGEST_VERSION = 1024;

export function isBootImage(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_AT + SetupHeader.size) return false;
  const header = SetupHeader.cursor(viewOf(bytes, "little"), HEADER_AT);
  return header.boot_flag === BOOT_FLAG && header.header === HEADER_MAGIC;
}

/** @param bytes a whole bzImage, for which `isBootImage` holds */
export function readBootImage(bytes: Uint8Array): BootImage | BadBootImage {
  const header = SetupHeader.cursor(viewOf(bytes, "little"), HEADER_AT);
  const bad = (what: BadBootImage["what"], field: keyof typeof SetupHeader.offsets, why: string): BadBootImage => ({
    what,
    why,
    offset: HEADER_AT + SetupHeader.offsets[field],
  });
  if (header.version < WITH_PAYLOAD) return bad("header", "version", `boot protocol 0x${header.version.toString(16)} is older than 2.08`);
  // A count of 0 means 4, for the oldest loaders.
  const sectors = header.setup_sects === 0 ? 4 : header.setup_sects;
  const protectedModeAt = (sectors + 1) * SECTOR;
  const payloadAt = protectedModeAt + header.payload_offset;
  const length = header.payload_length;
  if (payloadAt + length > bytes.length)
    return bad(
      "truncated",
      "payload_length",
      `the payload of ${length} bytes at ${payloadAt} reaches past the file's end (${bytes.length})`,
    );
  if (length < 8) return bad("header", "payload_length", `a payload of ${length} bytes holds no kernel`);
  const release = readRelease(bytes, header.kernel_version, protectedModeAt);
  if (release === undefined) return bad("header", "kernel_version", `kernel_version ${header.kernel_version} points to no text`);
  return {
    release,
    releaseAt: HEADER_AT + SetupHeader.offsets.kernel_version,
    payload: bytes.subarray(payloadAt, payloadAt + length),
    payloadAt,
  };
}

/** The header points to "RELEASE (BUILDER) VERSION"; the pointer does not count the boot sector. */
function readRelease(bytes: Uint8Array, pointer: number, setupEnd: number): string | undefined {
  const start = pointer + SECTOR;
  const end = bytes.subarray(0, Math.min(setupEnd, start + LONGEST_VERSION)).indexOf(0, start);
  if (pointer === 0 || end < 0) return undefined;
  const text = Buffer.from(bytes.subarray(start, end)).toString("latin1");
  return text.split(" ", 1)[0] ?? "";
}
