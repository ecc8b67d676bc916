/** Decoding, where bytes and relocations alone do not tell. */
import type { Instruction } from "../code.ts";
import { iced } from "./iced.ts";

/** Undefined if the bytes are not all instructions. */
export function decode(code: Uint8Array): Instruction[] | undefined {
  const { Decoder, DecoderOptions, FlowControl, Instruction } = iced();
  const branches: ReadonlySet<number> = new Set([FlowControl.Call, FlowControl.UnconditionalBranch, FlowControl.ConditionalBranch]);
  const decoder = new Decoder(64, code, DecoderOptions.None);
  decoder.ip = BASE;
  const instruction = new Instruction();
  const found: Instruction[] = [];
  try {
    while (decoder.canDecode) {
      const start = decoder.position;
      decoder.decodeOut(instruction);
      if (instruction.isInvalid) return undefined;
      const end = decoder.position;
      const offsets = decoder.getConstantOffsets(instruction);
      const near = branches.has(instruction.flowControl) && offsets.hasImmediate && instruction.nearBranchTarget !== 0n;
      found.push({
        code: instruction.code,
        start,
        end,
        branch: near
          ? { kind: instruction.mnemonic, field: start + offsets.immediateOffset, target: Number(instruction.nearBranchTarget - BASE) }
          : undefined,
        relative: instruction.isIpRelMemoryOperand
          ? { field: start + offsets.displacementOffset, target: Number(instruction.ipRelMemoryAddress - BASE) }
          : undefined,
      });
      offsets.free();
    }
    return found;
  } finally {
    instruction.free();
    decoder.free();
  }
}

/**
 * How much code resembles the kernel's: the same but for distances and what relocations fill in; the same operations on other numbers (offsets
 * in structures, constants); or other code.
 * @param own with the bytes that relocations change
 */
export function likeness(own: { code: Uint8Array; fields: ReadonlySet<number> }, kernel: Uint8Array): "same" | "operands" | "other" {
  const these = decode(own.code);
  const those = decode(kernel);
  if (these === undefined || those === undefined || these.length !== those.length) return "other";
  let found: "same" | "operands" = "same";
  for (const [i, one] of these.entries()) {
    const other = those[i] as Instruction;
    if (one.branch !== undefined && one.branch.kind === other.branch?.kind) continue;
    if (one.code !== other.code) return "other";
    if (found === "same" && !alike(own, one, kernel, other)) found = "operands";
  }
  return found;
}

function alike(
  { code, fields }: { code: Uint8Array; fields: ReadonlySet<number> },
  one: Instruction,
  kernel: Uint8Array,
  other: Instruction,
): boolean {
  if (one.end - one.start !== other.end - other.start) return false;
  for (let at = one.start; at < one.end; at++) {
    const distance = one.relative !== undefined && at >= one.relative.field && at < one.relative.field + 4;
    if (!distance && !fields.has(at) && code[at] !== kernel[other.start + at - one.start]) return false;
  }
  return true;
}

/** Code is decoded as if it stood here, so that places before its start stay positive. */
const BASE = 0x100000000n;

/** The instruction that holds the byte at `at`, as text, with its bytes; undefined if that is no code. @param address of the code's first byte */
export function textAt(code: Uint8Array, at: number, address: number): { start: number; text: string } | undefined {
  const { Decoder, DecoderOptions, Formatter, FormatterSyntax, Instruction } = iced();
  const decoder = new Decoder(64, code, DecoderOptions.None);
  decoder.ip = BigInt.asUintN(64, BigInt(address));
  const instruction = new Instruction();
  const formatter = new Formatter(FormatterSyntax.Gas);
  try {
    while (decoder.canDecode) {
      const start = decoder.position;
      decoder.decodeOut(instruction);
      if (decoder.position > at) return instruction.isInvalid ? undefined : { start, text: formatter.format(instruction) };
    }
    return undefined;
  } finally {
    formatter.free();
    instruction.free();
    decoder.free();
  }
}
