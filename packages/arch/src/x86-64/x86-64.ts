/** x86-64, as packages/arch offers it. */
import type { Arch } from "../arch.ts";
import {
  alignmentFill,
  callField,
  FIELD_TO_END,
  fieldToEnd,
  isBranchField,
  isNoOp,
  isNops,
  jumpsOrLoadsAddress,
  LOOP_ALIGNMENTS,
  mayComputeAddress,
} from "./code.ts";
import { decode, likeness, textAt } from "./decode.ts";
import { accessesIn, leaving, operandEnds, pointersIn, stepsIn } from "./instructions.ts";
import { fieldSize, isNear, isPcRelative, LOADABLE, linkedValue, R_X86_64, relocatedAs, relocationKind } from "./relocations.ts";
import { rewrite } from "./rewrite.ts";
import { FTRACE_SITES, tables } from "./tables.ts";

export const x86_64: Arch = {
  name: "x86-64",
  machine: 62,
  format: { bits: 64, order: "little" },
  relocations: {
    kind: relocationKind,
    isPcRelative,
    pointer: R_X86_64[64],
    distance: R_X86_64.PC32,
    branch: R_X86_64.PLT32,
    isNear,
    loadable: LOADABLE,
    fieldSize,
    linkedValue,
    relocatedAs,
  },
  code: {
    branchToEnd: 4,
    fieldToEnds: FIELD_TO_END,
    isBranchField,
    jumpsOrLoadsAddress,
    mayComputeAddress,
    fieldToEnd,
    isPadding: isNops,
    isNoOp,
    alignmentFill,
    loopAlignments: LOOP_ALIGNMENTS,
    paddingPrefixes: ["__pfx_", "__cfi_"],
    operandEnds,
    accessesIn,
    stepsIn,
    pointersIn,
    leaving,
    decode,
    likeness,
    textAt,
  },
  tables,
  rewrite,
  ftrace: { sites: FTRACE_SITES, callee: "__fentry__", callField },
  kbuild: { arch: "x86", image: "arch/x86/boot/bzImage", linker: ["-m", "elf_x86_64"], option: "CONFIG_X86_64" },
};
