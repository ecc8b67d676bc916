/** Relocations of x86-64. Source: System V ABI, AMD64 supplement, section 4.4. */
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

export interface RelocationKind {
  name: string;
  /** Bytes of the field. */
  size: number;
  /** The field holds S + A - P. */
  pcRelative: boolean;
}

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

/** Whether the 4-byte field at `at` is the target of a call, jump or conditional jump, which ends with the field. */
export function isBranchField(code: Uint8Array, at: number): boolean {
  const before = code[at - 1];
  if (before === 0xe8 || before === 0xe9) return true;
  // In `0f 8x rel32` the byte before the field cannot be a ModRM byte of a PC-relative operand: those have mod 00.
  return before !== undefined && (before & 0xf0) === 0x80 && code[at - 2] === 0x0f;
}
