/** Relocations of x86-64. Source: System V ABI, AMD64 supplement, section 4.4. */
import type { ByteView, RelocationKind } from "@suture/elf";
import type { Relocated } from "../relocations.ts";

export const R_X86_64 = {
  NONE: 0,
  64: 1,
  PC32: 2,
  PLT32: 4,
  32: 10,
  "32S": 11,
  16: 12,
  PC16: 13,
  8: 14,
  PC8: 15,
  PC64: 24,
} as const;

const kinds: Readonly<Record<number, RelocationKind>> = {
  [R_X86_64.NONE]: { name: "R_X86_64_NONE", size: 0, pcRelative: false },
  [R_X86_64[64]]: { name: "R_X86_64_64", size: 8, pcRelative: false },
  [R_X86_64.PC32]: { name: "R_X86_64_PC32", size: 4, pcRelative: true },
  [R_X86_64.PLT32]: { name: "R_X86_64_PLT32", size: 4, pcRelative: true },
  [R_X86_64[32]]: { name: "R_X86_64_32", size: 4, pcRelative: false },
  [R_X86_64["32S"]]: { name: "R_X86_64_32S", size: 4, pcRelative: false },
  [R_X86_64[16]]: { name: "R_X86_64_16", size: 2, pcRelative: false },
  [R_X86_64.PC16]: { name: "R_X86_64_PC16", size: 2, pcRelative: true },
  [R_X86_64[8]]: { name: "R_X86_64_8", size: 1, pcRelative: false },
  [R_X86_64.PC8]: { name: "R_X86_64_PC8", size: 1, pcRelative: true },
  [R_X86_64.PC64]: { name: "R_X86_64_PC64", size: 8, pcRelative: true },
};

/** Undefined for a type that the kernel's objects do not use. */
export function relocationKind(type: number): RelocationKind | undefined {
  return kinds[type];
}

/** Whether the field holds a distance from itself. */
export function isPcRelative(type: number): boolean {
  return kinds[type]?.pcRelative === true;
}

/** Those that the kernel's module loader applies (arch/x86/kernel/module.c). */
export const LOADABLE: ReadonlySet<number> = new Set([
  R_X86_64[64],
  R_X86_64[32],
  R_X86_64["32S"],
  R_X86_64.PC32,
  R_X86_64.PLT32,
  R_X86_64.PC64,
]);

/** Bytes of the field that a relocation changes; undefined for a type that the loader does not apply. */
export function fieldSize(type: number): number | undefined {
  return LOADABLE.has(type) ? kinds[type]?.size : undefined;
}

/** The types of a 4-byte distance, which mean the same in an object. */
export function isNear(type: number): boolean {
  return type === R_X86_64.PC32 || type === R_X86_64.PLT32;
}

/** What a linked field holds, S + A; undefined if it is no address that a kernel can have. */
export function linkedValue(view: ByteView, at: number, type: number, place: number): number | undefined {
  switch (type) {
    case R_X86_64.PC32:
    case R_X86_64.PLT32:
      return view.i32(at) + place;
    case R_X86_64["32S"]:
      return view.i32(at);
    case R_X86_64[32]:
      return view.u32(at);
    case R_X86_64[64]:
      return exact(view.i64(at));
    case R_X86_64.PC64: {
      const distance = exact(view.i64(at));
      return distance === undefined ? undefined : distance + place;
    }
    default:
      return undefined;
  }
}

function exact(value: number): number | undefined {
  return Number.isSafeInteger(value) ? value : undefined;
}

/** How the kernel's list of relocated fields must treat a field, by what it refers to. Source: arch/x86/tools/relocs.c. */
export function relocatedAs(type: number, perCpu: boolean): Relocated | undefined {
  switch (type) {
    case R_X86_64.PC32:
    case R_X86_64.PLT32:
      return perCpu ? "inverse32" : undefined;
    case R_X86_64[32]:
    case R_X86_64["32S"]:
      return perCpu ? undefined : "abs32";
    case R_X86_64[64]:
      return perCpu ? undefined : "abs64";
    default:
      return undefined;
  }
}
