/** x86-64, as packages/arch offers it. */
import type { Arch } from "../arch.ts";
import {
  alignmentFill,
  callField,
  ENDBR64,
  FIELD_TO_END,
  fieldToEnd,
  isBranchField,
  isNoOp,
  isNops,
  isSwitchNoOp,
  jumpsOrLoadsAddress,
  LOOP_ALIGNMENTS,
  mayComputeAddress,
} from "./code.ts";
import { decode, likeness, textAt } from "./decode.ts";
import { iced } from "./iced.ts";
import { image } from "./image.ts";
import { accessesIn, callsByPointer, leaving, operandEnds, pointersIn, stepsIn } from "./instructions.ts";
import { listing } from "./listing.ts";
import { log } from "./log-words.ts";
import { qemu } from "./qemu.ts";
import { fieldSize, isNear, isPcRelative, LOADABLE, linkedValue, R_X86_64, relocatedAs, relocationKind } from "./relocations.ts";
import { rewrite } from "./rewrite.ts";
import { FTRACE_SITES, tables } from "./tables.ts";

export const x86_64: Arch = {
  name: "x86-64",
  machine: 62,
  format: { bits: 64, order: "little" },
  host: "x64",
  debian: {
    name: "amd64",
    triplet: "x86_64-linux-gnu",
    binutils: "binutils-x86-64-linux-gnu",
    loader: "ld-linux-x86-64.so.2",
  },
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
    isSwitchNoOp,
    alignmentFill,
    loopAlignments: LOOP_ALIGNMENTS,
    landingPad: ENDBR64,
    paddingPrefixes: ["__pfx_", "__cfi_"],
    operandEnds,
    accessesIn,
    callsByPointer,
    stepsIn,
    pointersIn,
    leaving,
    decode,
    makeReady: () => void iced(),
    likeness,
    textAt,
    listing,
  },
  tables,
  image,
  rewrite,
  ftrace: { sites: FTRACE_SITES, callee: "__fentry__", callField },
  kbuild: {
    arch: "x86",
    folder: "arch/x86",
    image: "arch/x86/boot/bzImage",
    linker: ["-m", "elf_x86_64"],
    option: "CONFIG_X86_64",
    // HAVE_RELIABLE_STACKTRACE of arch/x86/Kconfig.
    reliableStacks: ["CONFIG_UNWINDER_ORC", "CONFIG_STACK_VALIDATION"],
    boot: "arch/x86/boot",
    programs: ["arch/x86/boot", "arch/x86/entry/vdso", "arch/x86/purgatory", "arch/x86/realmode"],
    linkTools: ["relocs", "vdso2c"],
    headers: ["asm/orc_types.h"],
    systemCalls: { entry: "__x64_sys_", others: ["__ia32_sys_", "__se_sys_", "__do_sys_"] },
  },
  qemu,
  log,
};
