/**
 * Decoding, where relocations alone do not tell: which instruction holds a field, and which branches the assembler resolved by itself.
 * The decoder costs 80 ms to load, so it is loaded when the first object needs it.
 */
import { createRequire } from "node:module";
import { R_X86_64 } from "@suture/elf";

type Iced = typeof import("iced-x86");
let loaded: Iced | undefined;

function iced(): Iced {
  loaded ??= createRequire(import.meta.url)("iced-x86") as Iced;
  return loaded;
}

export interface InstructionEnds {
  /** The end of the instruction that covers the byte offset. */
  after(offset: number): number;
}

export function instructionEnds(code: Uint8Array): InstructionEnds {
  const { Decoder, DecoderOptions, Instruction } = iced();
  const decoder = new Decoder(64, code, DecoderOptions.None);
  const instruction = new Instruction();
  const ends: number[] = [];
  while (decoder.canDecode) {
    decoder.decodeOut(instruction);
    ends.push(decoder.position);
  }
  instruction.free();
  decoder.free();
  return {
    after(offset) {
      let low = 0;
      let high = ends.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((ends[middle] ?? 0) <= offset) low = middle + 1;
        else high = middle;
      }
      return ends[low] ?? 0;
    },
  };
}

export interface OutgoingBranch {
  /** Byte offset of the displacement. */
  at: number;
  /** The relocation that the displacement would have. */
  type: number;
  /** Where it goes, from the start of the code. */
  target: number;
  /** Bytes from the field to the instruction's end. */
  toEnd: number;
}

/** Direct branches that leave `code`. Those that have a relocation are in it too (their displacement is zero): the caller leaves them out. */
export function outgoingBranches(code: Uint8Array): OutgoingBranch[] {
  const { Decoder, DecoderOptions, Instruction, FlowControl } = iced();
  const decoder = new Decoder(64, code, DecoderOptions.None);
  decoder.ip = BASE;
  const instruction = new Instruction();
  const out: OutgoingBranch[] = [];
  while (decoder.canDecode) {
    decoder.decodeOut(instruction);
    const flow = instruction.flowControl;
    if (flow !== FlowControl.Call && flow !== FlowControl.UnconditionalBranch && flow !== FlowControl.ConditionalBranch) continue;
    if (!instruction.isCallNear && !instruction.isJmpShortOrNear && !instruction.isJccShortOrNear) continue;
    const offsets = decoder.getConstantOffsets(instruction);
    const at = decoder.position - instruction.length + offsets.immediateOffset;
    const size = offsets.immediateSize;
    const target = Number(instruction.nearBranchTarget - BASE);
    offsets.free();
    if (size === 0 || (target >= 0 && target < code.length)) continue;
    out.push({ at, type: size === 1 ? R_X86_64.PC8 : R_X86_64.PLT32, target, toEnd: size });
  }
  instruction.free();
  decoder.free();
  return out;
}

/** Code is decoded as if it stood here, so that branches before its start stay positive. */
const BASE = 0x100000000n;
