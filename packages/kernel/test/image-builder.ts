/** Assembles a small kernel image: an ELF file with the sections that matter, its relocation table, and a bzImage around both. */
import { gzipSync } from "node:zlib";
import { Bytes } from "@suture/testkit/bytes";
import { type BuiltSymbol, buildKallsyms, type KallsymsShape } from "./kallsyms-builder.ts";

export const TEXT = -0x7f000000;
export const RODATA = -0x7e000000;
export const PER_CPU_LOAD = -0x7d000000;
export const BSS = -0x7c800000;
export const RELEASE = "9.8.7-test-amd64";
export const BANNER = `Linux version ${RELEASE} (someone@somewhere) (gcc-12 (Debian 12.2.0-14) 12.2.0, GNU ld 2.40) #1 SMP\n`;
export const BUILD_ID = "00112233445566778899aabbccddeeff00112233";
const BANNER_AT = RODATA;
const TABLE_AT = RODATA + 0x800;

export interface ImagePlan {
  symbols: readonly BuiltSymbol[];
  shape: Omit<KallsymsShape, "base">;
  text: Uint8Array;
  /** Contents of the per-cpu section, linked at 0. */
  perCpu: Uint8Array;
  btf: Uint8Array | undefined;
  relocations: { abs32: readonly number[]; inverse32: readonly number[]; abs64: readonly number[] };
}

export function smallPlan(): ImagePlan {
  return {
    symbols: [
      { address: 0, type: "A", name: "__per_cpu_start" },
      { address: 0x10, type: "A", name: "current_thing" },
      { address: TEXT, type: "T", name: "_text" },
      { address: TEXT, type: "T", name: "_stext" },
      { address: TEXT + 0x10, type: "t", name: "helper" },
      { address: TEXT + 0x40, type: "T", name: "entry_point" },
      { address: TEXT + 0x80, type: "t", name: "helper" },
      { address: BANNER_AT, type: "D", name: "linux_banner" },
      { address: TABLE_AT, type: "R", name: "__start_things" },
      { address: TABLE_AT + 0x20, type: "R", name: "__stop_things" },
      { address: BSS, type: "b", name: "helper" },
    ],
    shape: { layout: "before", perCpuAbsolute: true, ordered: true, tokens: ["__", "help", "_text"] },
    text: Uint8Array.from({ length: 0x100 }, (_, i) => i),
    perCpu: Uint8Array.from({ length: 0x40 }, (_, i) => 255 - i),
    btf: undefined,
    relocations: { abs32: [TEXT + 0x13], inverse32: [TEXT + 0x44], abs64: [RODATA + 0x808, PER_CPU_LOAD + 8] },
  };
}

interface BuiltSection {
  name: string;
  type: number;
  flags: number;
  address: number;
  data: Uint8Array;
  size: number;
}

/** The ELF file alone: an uncompressed vmlinux. */
export function buildVmlinux(plan: ImagePlan): Uint8Array {
  const sections: BuiltSection[] = [
    section(".text", 1, 6, TEXT, plan.text),
    section(".rodata", 1, 2, RODATA, rodata(plan)),
    section(".notes", 7, 2, RODATA + 0x400000, notes()),
    ...(plan.btf === undefined ? [] : [section(".BTF", 1, 2, RODATA + 0x500000, plan.btf)]),
    section(".data..percpu", 1, 3, 0, plan.perCpu),
    { ...section(".bss", 8, 3, BSS, new Uint8Array(0)), size: 0x1000 },
    section(".shstrtab", 3, 0, 0, new Uint8Array(0)),
  ];
  const names = new Bytes().put([0]);
  const nameOffsets = sections.map((s) => {
    const at = names.length;
    names.text(`${s.name}\0`);
    return at;
  });
  const last = sections.at(-1);
  if (last !== undefined) last.data = names.done();
  const segments = 2;
  const body = new Bytes().zeros(64 + segments * 56).align(16);
  const offsets = sections.map((s) => {
    body.align(16);
    const at = body.length;
    if (s.type !== 8) body.put(s.data);
    return at;
  });
  body.align(8);
  const shoff = body.length;
  body.zeros(64);
  sections.forEach((s, i) => {
    body
      .u32(nameOffsets[i] ?? 0)
      .u32(s.type)
      .i64(s.flags)
      .i64(s.address)
      .i64(offsets[i] ?? 0);
    body
      .i64(s.type === 8 ? s.size : s.data.length)
      .u32(0)
      .u32(0)
      .i64(16)
      .i64(0);
  });
  const file = body.done();
  file.set(elfHeader(shoff, segments, sections.length), 0);
  const percpu = sections.findIndex((s) => s.name === ".data..percpu");
  file.set(segment(offsets[0] ?? 0, TEXT, 0x1000000, plan.text.length), 64);
  file.set(segment(offsets[percpu] ?? 0, 0, PER_CPU_LOAD - TEXT + 0x1000000, plan.perCpu.length), 64 + 56);
  return file;
}

/** What a bzImage holds packed: the ELF file and its relocation table. */
export function buildPayload(plan: ImagePlan): Uint8Array {
  const { abs32, inverse32, abs64 } = plan.relocations;
  const out = new Bytes().put(buildVmlinux(plan)).align(4);
  for (const group of [abs64, inverse32, abs32]) {
    out.u32(0);
    for (const address of group) out.u32(address);
  }
  return out.done();
}

/** @param packed the payload with its length word, as the boot protocol has it */
export function buildBootImage(packed: Uint8Array, version = `${RELEASE} (someone@somewhere) #1 SMP`): Uint8Array {
  const setup = Buffer.alloc(1024);
  setup[0x1f1] = 1;
  setup.writeUInt16LE(0xaa55, 0x1fe);
  setup.write("HdrS", 0x202, "latin1");
  setup.writeUInt16LE(0x20f, 0x206);
  setup.writeUInt16LE(0x300 - 0x200, 0x20e);
  setup.writeUInt32LE(16, 0x248);
  setup.writeUInt32LE(packed.length, 0x24c);
  setup.write(`${version}\0`, 0x300, "latin1");
  return new Bytes().put(setup).zeros(16).put(packed).zeros(32).done();
}

export function buildGzipImage(plan: ImagePlan): Uint8Array {
  return buildBootImage(gzipSync(buildPayload(plan), { level: 1 }));
}

function rodata(plan: ImagePlan): Uint8Array {
  const out = new Bytes().text(`${BANNER}\0`);
  out
    .zeros(0x800 - out.length)
    .put(Uint8Array.from({ length: 0x20 }, (_, i) => i * 3))
    .zeros(0x60);
  return out
    .put(buildKallsyms(plan.symbols, { ...plan.shape, base: TEXT }))
    .text("after\0")
    .done();
}

function notes(): Uint8Array {
  return new Bytes()
    .u32(6)
    .u32(4)
    .u32(257)
    .text("Linux\0")
    .align(4)
    .u32(0)
    .u32(4)
    .u32(20)
    .u32(3)
    .text("GNU\0")
    .put(Buffer.from(BUILD_ID, "hex"))
    .done();
}

function section(name: string, type: number, flags: number, address: number, data: Uint8Array): BuiltSection {
  return { name, type, flags, address, data, size: data.length };
}

function elfHeader(shoff: number, segments: number, sections: number): Uint8Array {
  const out = new Bytes().put([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).zeros(9).u16(2).u16(62).u32(1).i64(0x1000000).i64(64).i64(shoff);
  return out
    .u32(0)
    .u16(64)
    .u16(56)
    .u16(segments)
    .u16(64)
    .u16(sections + 1)
    .u16(sections)
    .done();
}

function segment(offset: number, vaddr: number, paddr: number, size: number): Uint8Array {
  return new Bytes().u32(1).u32(7).i64(offset).i64(vaddr).i64(paddr).i64(size).i64(size).i64(0x1000).done();
}
