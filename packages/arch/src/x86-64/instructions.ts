/**
 * Decoding, where bytes and relocations alone do not tell: which instruction holds a field, and which places of its own section code refers
 * to without a relocation.
 */
import type { Access, Implied, PointerUse, Step } from "../code.ts";
import { FIELD_TO_END } from "./code.ts";
import { type Iced, iced } from "./iced.ts";
import { R_X86_64 } from "./relocations.ts";

type Instruction = InstanceType<Iced["Instruction"]>;

/** Code is decoded as if it stood here, so that places before its start stay positive. */
const BASE = 0x100000000n;

/** `at`: where the instruction ends. */
function decode(code: Uint8Array, each: (instruction: Instruction, end: number, offsets: () => FieldOffsets) => void): void {
  const { Decoder, DecoderOptions, Instruction } = iced();
  const decoder = new Decoder(64, code, DecoderOptions.None);
  decoder.ip = BASE;
  const instruction = new Instruction();
  try {
    while (decoder.canDecode) {
      decoder.decodeOut(instruction);
      each(instruction, decoder.position, () => {
        const offsets = decoder.getConstantOffsets(instruction);
        const start = decoder.position - instruction.length;
        const fields = {
          displacement: offsets.hasDisplacement ? start + offsets.displacementOffset : undefined,
          immediate: offsets.hasImmediate ? start + offsets.immediateOffset : undefined,
          immediateSize: offsets.immediateSize,
        };
        offsets.free();
        return fields;
      });
    }
  } finally {
    instruction.free();
    decoder.free();
  }
}

interface FieldOffsets {
  displacement: number | undefined;
  immediate: number | undefined;
  immediateSize: number;
}

/** Of each PC-relative data operand: byte offset of its field → bytes from there to the instruction's end. */
export function operandEnds(code: Uint8Array): ReadonlyMap<number, number> {
  const ends = new Map<number, number>();
  decode(code, (instruction, end, offsets) => {
    if (!instruction.isIpRelMemoryOperand) return;
    const { displacement } = offsets();
    if (displacement !== undefined && FIELD_TO_END.includes(end - displacement)) ends.set(displacement, end - displacement);
  });
  return ends;
}

/** By the byte offset of the field. */
export function accessesIn(code: Uint8Array): Map<number, Access> {
  const { InstructionInfoFactory, Mnemonic, OpAccess } = iced();
  const writes: ReadonlySet<number> = new Set([OpAccess.Write, OpAccess.CondWrite, OpAccess.ReadWrite, OpAccess.ReadCondWrite]);
  const factory = new InstructionInfoFactory();
  const found = new Map<number, Access>();
  decode(code, (instruction, _, offsets) => {
    const { displacement, immediate } = offsets();
    if (immediate !== undefined) found.set(immediate, instruction.mnemonic === Mnemonic.Cmp ? "comparison" : "pointer");
    if (displacement === undefined) return;
    if (instruction.mnemonic === Mnemonic.Lea) {
      found.set(displacement, "pointer");
      return;
    }
    const info = factory.info(instruction);
    let written = false;
    for (const memory of info.usedMemory()) {
      written ||= writes.has(memory.access);
      memory.free();
    }
    info.free();
    found.set(displacement, written ? "write" : "read");
  });
  factory.free();
  return found;
}

/** Instructions that make a value of others; that of two equal registers is zero. */
const WORK = /^(?:Set\w+|Cmov\w+|Not|Neg|I?mul|I?div|Sh[lr]d?|Sar|Ro[lr]|Add|Sub|And|Or|Xor|Bswap|Popcnt|[LT]zcnt|Bs[fr])$/;

export function stepsIn(code: Uint8Array): Step[] {
  const { FlowControl, Mnemonic, OpKind, Register, RegisterExt } = iced();
  const flows: ReadonlyMap<number, Step["flow"]> = new Map([
    [FlowControl.Next, "next"],
    [FlowControl.Call, "call"],
    [FlowControl.IndirectCall, "call"],
    [FlowControl.ConditionalBranch, "branch"],
  ]);
  const stack: ReadonlySet<number> = new Set([Register.RSP, Register.RBP, Register.RIP, Register.EIP]);
  const steps: Step[] = [];
  decode(code, (instruction, _, offsets) => {
    const { displacement, immediate } = offsets();
    const flow = flows.get(instruction.flowControl) ?? "end";
    const step: Step = { fields: [displacement, immediate].filter((at) => at !== undefined), numbers: [], flow, work: undefined };
    steps.push(step);
    if (flow !== "next") return;
    const [first, second] = [instruction.op0Register, instruction.opCount > 1 ? instruction.op1Register : Register.None];
    const ofStack = instruction.op0Kind === OpKind.Register && stack.has(RegisterExt.fullRegister(first));
    const name = Mnemonic[instruction.mnemonic] ?? "";
    const isZero = first === second && /^(?:Xor|Sub)$/.test(name);
    if (WORK.test(name) && !isZero && !ofStack) step.work = name;
    if (displacement !== undefined && !stack.has(RegisterExt.fullRegister(instruction.memoryBase)))
      step.numbers.push([displacement, instruction.memoryDisplacement]);
    const kinds = [OpKind.Immediate8, OpKind.Immediate16, OpKind.Immediate32, OpKind.Immediate64, OpKind.Immediate8to16];
    const wide = [OpKind.Immediate8to32, OpKind.Immediate8to64, OpKind.Immediate32to64];
    const onStack = instruction.op0Kind === OpKind.Register && stack.has(instruction.op0Register);
    if (immediate !== undefined && !onStack)
      for (let i = 0; i < instruction.opCount; i++)
        if ([...kinds, ...wide].includes(instruction.opKind(i))) step.numbers.push([immediate, instruction.immediate(i)]);
  });
  return steps;
}

/** Where code makes pointers. Only straight ways from a register to a call are followed. */
export function pointersIn(code: Uint8Array): PointerUse[] {
  const { FlowControl, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register, RegisterExt } = iced();
  const passing: ReadonlySet<number> = new Set([Register.RDI, Register.RSI, Register.RDX, Register.RCX, Register.R8, Register.R9]);
  const calls: ReadonlySet<number> = new Set([FlowControl.Call, FlowControl.UnconditionalBranch]);
  const factory = new InstructionInfoFactory();
  const found: PointerUse[] = [];
  const held = new Map<number, PointerUse>();
  decode(code, (instruction, _, offsets) => {
    const { displacement, immediate, immediateSize } = offsets();
    if (instruction.flowControl !== FlowControl.Next) {
      // Of a call by name; the field of a jump inside of the function has no reference.
      if (calls.has(instruction.flowControl) && immediate !== undefined)
        for (const [register, use] of held) if (passing.has(register)) use.argumentOf = immediate;
      held.clear();
      return;
    }
    const info = factory.info(instruction);
    for (const used of info.usedRegisters()) {
      const register = RegisterExt.fullRegister(used.register);
      if (used.access !== OpAccess.None) held.delete(register);
      used.free();
    }
    info.free();
    const named = instruction.mnemonic === Mnemonic.Lea ? displacement : undefined;
    const at = named ?? (immediateSize >= 4 && instruction.mnemonic !== Mnemonic.Cmp ? immediate : undefined);
    if (at === undefined) return;
    const use: PointerUse = { at, argumentOf: undefined };
    found.push(use);
    const toRegister = (instruction.mnemonic === Mnemonic.Mov || named !== undefined) && instruction.op0Kind === OpKind.Register;
    if (toRegister) held.set(RegisterExt.fullRegister(instruction.op0Register), use);
  });
  factory.free();
  return found;
}

/** What the kernel's compilers call in place of an indirect branch: a function for each register, which does it without speculation. */
const THUNK = /^__x86_indirect_/;

export function callsByPointer(code: Uint8Array, names: ReadonlyMap<number, string>): number {
  const { FlowControl } = iced();
  let count = [...names.values()].filter((name) => THUNK.test(name)).length;
  decode(code, ({ flowControl }) => {
    if (flowControl === FlowControl.IndirectCall || flowControl === FlowControl.IndirectBranch) count++;
  });
  return count;
}

/** Direct branches and PC-relative operands that leave `code`. Those with a relocation are among them; the caller knows which these are. */
export function leaving(code: Uint8Array): Implied[] {
  const { FlowControl } = iced();
  const branches: ReadonlySet<number> = new Set([
    FlowControl.Call,
    FlowControl.UnconditionalBranch,
    FlowControl.ConditionalBranch,
    FlowControl.XbeginXabortXend,
  ]);
  const out: Implied[] = [];
  const inside = (target: number): boolean => target >= 0 && target < code.length;
  decode(code, (instruction, end, offsets) => {
    if (instruction.isIpRelMemoryOperand) {
      const target = Number(instruction.ipRelMemoryAddress - BASE);
      const { displacement } = offsets();
      if (displacement === undefined || inside(target)) return;
      out.push({ at: displacement, type: R_X86_64.PC32, target, toEnd: end - displacement, branch: false });
      return;
    }
    if (!branches.has(instruction.flowControl)) return;
    const { immediate, immediateSize } = offsets();
    // An indirect branch has no target of its own.
    if (immediate === undefined || instruction.nearBranchTarget === 0n) return;
    const target = Number(instruction.nearBranchTarget - BASE);
    if (inside(target)) return;
    out.push({ at: immediate, type: immediateSize === 1 ? R_X86_64.PC8 : R_X86_64.PLT32, target, toEnd: end - immediate, branch: true });
  });
  return out;
}
