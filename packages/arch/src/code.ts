/** Instructions, as far as it matters what they do with places. */

/** What an instruction does with the place that one of its fields names. */
export type Access = "read" | "write" | "pointer" | "comparison";

/** One instruction, as far as it says what is done and with what. */
export interface Step {
  /** Byte offsets of the fields that may name places. */
  fields: number[];
  /** Immediates and offsets from pointers, by the byte offset of their field; distances on the stack are left out. */
  numbers: [at: number, value: bigint][];
  flow: "next" | "call" | "branch" | "end";
  /** What is calculated of registers alone, by the instruction's name. */
  work: string | undefined;
}

/** Bytes from the start of `code`: a field that names a place, and what becomes of the pointer to it. */
export interface PointerUse {
  at: number;
  /** The field of the call or jump that gets it as an argument, and that alone; undefined if it is used otherwise, or not seen how. */
  argumentOf: number | undefined;
}

/** A reference that the assembler resolved by itself. */
export interface Implied {
  /** Byte offset of the field. */
  at: number;
  /** The relocation that the field would have. */
  type: number;
  /** Where it goes, from the start of the code. */
  target: number;
  /** Bytes from the field to the instruction's end. */
  toEnd: number;
  branch: boolean;
}

export interface Instruction {
  /** Operation and kinds of operands. */
  code: number;
  /** Bytes from the start of the code. */
  start: number;
  end: number;
  /** A jump, call or conditional jump to a fixed place, whose distance ends it; which one, whatever its length. */
  branch: { kind: number; field: number; target: number } | undefined;
  /** A memory operand relative to the instruction's end. */
  relative: { field: number; target: number } | undefined;
}

/** One instruction for people. */
export interface ListedInstruction {
  /** Bytes from the start of the code. */
  start: number;
  /** Of a branch inside of the code without its target. */
  text: string;
  /** Where such a branch goes, from the start of the code. */
  target: number | undefined;
}

export type AlignmentFill = (length: number) => Uint8Array | undefined;

export interface Code {
  /** Loads the decoder, which is otherwise loaded when first needed. */
  makeReady(): void;
  /** Bytes from the field of a branch to the place that its distance counts from. */
  branchToEnd: number;
  /** Bytes from the field of a PC-relative operand to the place that its distance counts from: what they can be. */
  fieldToEnds: readonly number[];
  /** Whether the field at `at` is the target of a call, jump or conditional jump, which ends with the field. */
  isBranchField(code: Uint8Array, at: number): boolean;
  /** The same, or of an instruction that only computes the address, and ends with the field. */
  jumpsOrLoadsAddress(code: Uint8Array, at: number): boolean;
  /** Whether the instruction with the PC-relative field may only compute the address, so that it may be one past an object's end. */
  mayComputeAddress(code: Uint8Array, at: number): boolean;
  /** Bytes from a PC-relative data operand to the end of its instruction, where that is seen without decoding. */
  fieldToEnd(code: Uint8Array, at: number): number | undefined;
  /** Whether all of it does nothing but align what follows. */
  isPadding(bytes: Uint8Array): boolean;
  /** Whether all of it does nothing: no-ops, none of which traps. */
  isNoOp(bytes: Uint8Array): boolean;
  /** Whether it is the whole no-op in the place of a jump that a static key switches on: as long as that jump, which depends on how far it goes. */
  isSwitchNoOp(bytes: Uint8Array): boolean;
  /**
   * What the assembler fills so many bytes with to align the code that follows; undefined for more than it fills so.
   * @param assembler its version as the kernel's configuration has it (24000 for 2.40); where it is not known how one fills, what all fill alike
   */
  alignmentFill(assembler: number | undefined): AlignmentFill;
  /** What places in a loop may be aligned to beyond what functions are: bytes, powers of two. */
  loopAlignments: readonly number[];
  /** What a function begins with that an indirect branch may end on, where the processor checks that. */
  landingPad: Uint8Array;
  /** Starts of the names that padding before a function has, which a call may use. */
  paddingPrefixes: readonly string[];
  /** Of each PC-relative data operand: byte offset of its field → bytes from there to the instruction's end. */
  operandEnds(code: Uint8Array): ReadonlyMap<number, number>;
  /** By the byte offset of the field. */
  accessesIn(code: Uint8Array): Map<number, Access>;
  stepsIn(code: Uint8Array): Step[];
  /** Where code makes pointers. */
  pointersIn(code: Uint8Array): PointerUse[];
  /** How many calls and jumps go where a register or memory says. @param names of what branches go to, by the byte offset of their field */
  callsByPointer(code: Uint8Array, names: ReadonlyMap<number, string>): number;
  /** Direct branches and PC-relative operands that leave `code`. */
  leaving(code: Uint8Array): Implied[];
  /** Undefined if the bytes are not all instructions. */
  decode(code: Uint8Array): Instruction[] | undefined;
  /** How much code resembles other code: but for distances and `fields` the same; the same operations on other numbers; or other code. */
  likeness(own: { code: Uint8Array; fields: ReadonlySet<number> }, kernel: Uint8Array): "same" | "operands" | "other";
  /** The instruction that holds the byte at `at`, as text; undefined if that is no code. @param address of the code's first byte */
  textAt(code: Uint8Array, at: number, address: number): { start: number; text: string } | undefined;
  /** All instructions as text, with names in place of fields (by their byte offset); undefined if the bytes are not all instructions. */
  listing(code: Uint8Array, names: ReadonlyMap<number, string>): ListedInstruction[] | undefined;
}
