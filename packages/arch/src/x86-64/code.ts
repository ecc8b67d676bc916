/** What bytes tell of x86-64 instructions without decoding. */
import type { AlignmentFill } from "../code.ts";

export const JMP_REL32 = 0xe9;

/** Whether the five-byte nop stands there that jump labels and static calls use. */
export function isNop5(code: Uint8Array, at: number): boolean {
  return [0x0f, 0x1f, 0x44, 0x00, 0x00].every((byte, i) => code[at + i] === byte);
}

/** Bytes from a PC-relative field of an instruction to its end: the field itself and an immediate of 0, 1, 2 or 4 bytes. */
export const FIELD_TO_END: readonly number[] = [4, 5, 6, 8];

/** Whether the 4-byte field at `at` is the target of a call, jump or conditional jump, which ends with the field. */
export function isBranchField(code: Uint8Array, at: number): boolean {
  const before = code[at - 1];
  if (before === 0xe8 || before === 0xe9) return true;
  // In `0f 8x rel32` the byte before the field cannot be a ModRM byte of a PC-relative operand: those have mod 00.
  return before !== undefined && (before & 0xf0) === 0x80 && code[at - 2] === 0x0f;
}

/** Whether the 4-byte field at `at` ends its instruction: of a call, jump, conditional jump or lea. */
export function jumpsOrLoadsAddress(code: Uint8Array, at: number): boolean {
  return isBranchField(code, at) || (code[at - 2] === 0x8d && ((code[at - 1] ?? 0) & 0xc7) === 0x05);
}

/** Whether the instruction with the PC-relative field may only compute the address (lea), so that it may be one past an object's end. */
export function mayComputeAddress(code: Uint8Array, at: number): boolean {
  return code[at - 2] === 0x8d;
}

/**
 * Bytes from a PC-relative data operand to the end of its instruction, where the bytes before it leave no doubt; undefined where the
 * instruction must be decoded. Source: Intel SDM volume 2, appendix A (opcode maps).
 */
export function fieldToEnd(code: Uint8Array, at: number): number | undefined {
  const modrm = code[at - 1] ?? 0;
  const opcode = code[at - 2] ?? 0;
  // Operands relative to the instruction pointer have mod 00 and rm 101.
  if (at < 2 || (modrm & 0xc7) !== 0x05) return undefined;
  // A VEX, EVEX or XOP prefix, or the three-byte map with an immediate, may stand before.
  if (code[at - 4] === 0xc5 || code[at - 5] === 0xc4 || code[at - 5] === 0x8f || code[at - 6] === 0x62) return undefined;
  if (code[at - 4] === 0x0f && code[at - 3] === 0x3a) return undefined;
  const wide = wideImmediate(opcode, modrm);
  // An operand size prefix makes it two bytes.
  if (wide && [3, 4, 5, 6].some((back) => code[at - back] === 0x66)) return undefined;
  const one = wide ? 4 : byteImmediate(opcode, modrm) ? 1 : 0;
  if (code[at - 3] === 0x0f && one !== (escapedImmediate.has(opcode) ? 1 : 0)) return undefined;
  return 4 + one;
}

function wideImmediate(opcode: number, modrm: number): boolean {
  return opcode === 0x69 || opcode === 0x81 || opcode === 0xc7 || (opcode === 0xf7 && (modrm & 0x30) === 0);
}

function byteImmediate(opcode: number, modrm: number): boolean {
  return byteImmediates.has(opcode) || (opcode === 0xf6 && (modrm & 0x30) === 0);
}

const byteImmediates: ReadonlySet<number> = new Set([0x6b, 0x80, 0x82, 0x83, 0xc0, 0xc1, 0xc6]);

/** In the map of opcodes after 0f. */
const escapedImmediate: ReadonlySet<number> = new Set([0x70, 0x71, 0x72, 0x73, 0xa4, 0xac, 0xba, 0xc2, 0xc4, 0xc5, 0xc6]);

/** A trap, which fills what is never run. */
const INT3 = 0xcc;

/** Source: Intel SDM volume 2, NOP, and the sequences that GNU as aligns with. */
export function isNops(bytes: Uint8Array): boolean {
  let at = 0;
  while (at < bytes.length) {
    let opcode = at;
    while (bytes[opcode] === 0x66 || bytes[opcode] === 0x2e) opcode++;
    if (bytes[opcode] === 0x90 || bytes[opcode] === INT3) at = opcode + 1;
    else if (bytes[opcode] === 0x0f && bytes[opcode + 1] === 0x1f) {
      const modrm = bytes[opcode + 2] ?? 0;
      const displacement = modrm >> 6 === 1 ? 1 : modrm >> 6 === 2 ? 4 : 0;
      at = opcode + 3 + ((modrm & 7) === 4 ? 1 : 0) + displacement;
    } else return false;
  }
  return at === bytes.length;
}

export function isNoOp(bytes: Uint8Array): boolean {
  return bytes.length > 0 && !bytes.includes(INT3) && isNops(bytes);
}

/** Source: arch/x86/kernel/jump_label.c and tools/objtool/arch/x86/decode.c (arch_nop_insn): for a jump of two bytes or of five. */
const SWITCH_NOPS: readonly (readonly number[])[] = [
  [0x66, 0x90],
  [0x0f, 0x1f, 0x44, 0x00, 0x00],
];

export function isSwitchNoOp(bytes: Uint8Array): boolean {
  return SWITCH_NOPS.some((noOp) => noOp.length === bytes.length && noOp.every((byte, i) => bytes[i] === byte));
}

/** A block that the processor fetches at once, and a line of its cache: gcc aligns a loop that fits into one to it. */
export const LOOP_ALIGNMENTS: readonly number[] = [32, 64];

/** By length: what GNU as writes where code is to be aligned for any processor (gas/config/tc-i386.c, alt_patt). */
const FILLS: readonly (readonly number[])[] = [
  [],
  [0x90],
  [0x66, 0x90],
  [0x0f, 0x1f, 0x00],
  [0x0f, 0x1f, 0x40, 0],
  [0x0f, 0x1f, 0x44, 0, 0],
  [0x66, 0x0f, 0x1f, 0x44, 0, 0],
  [0x0f, 0x1f, 0x80, 0, 0, 0, 0],
  [0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
  [0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
  [0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
  [0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
];

/** The longest no-op as often as it fits, with what is left in one: behind them, or before them as binutils 2.47 does. Of more it jumps over the rest. */
const fillWith =
  (isFirst: boolean): AlignmentFill =>
  (length) => {
    const longest = FILLS.length - 1;
    if (length < 0 || length >= Math.max(...LOOP_ALIGNMENTS)) return undefined;
    const fills = Array.from({ length: Math.floor(length / longest) }, () => FILLS[longest] ?? []);
    const rest = FILLS[length % longest] ?? [];
    return Uint8Array.from((isFirst ? [rest, ...fills] : [...fills, rest]).flat());
  };
const [restLast, restFirst] = [fillWith(false), fillWith(true)];

const inBoth: AlignmentFill = (length) => {
  const [one, other] = [restLast(length), restFirst(length)];
  return one !== undefined && other !== undefined && Buffer.compare(one, other) === 0 ? one : undefined;
};

/** Those of binutils 2.35 to 2.44, and of 2.47, were compared. */
export function alignmentFill(assembler: number | undefined): AlignmentFill {
  if (assembler === undefined || assembler < 24500) return restLast;
  return assembler >= 24700 ? restFirst : inBoth;
}

export const ENDBR64 = Uint8Array.of(0xf3, 0x0f, 0x1e, 0xfa);
const CALL = 0xe8;

/** The field of the call that the function begins with, after a landing pad where there is one; undefined if there is none. */
export function callField(code: Uint8Array, entry: number): number | undefined {
  const landing = ENDBR64.every((byte, i) => code[entry + i] === byte);
  const call = entry + (landing ? ENDBR64.length : 0);
  return code[call] === CALL ? call + 1 : undefined;
}
