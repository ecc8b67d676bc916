import { defineErrors } from "@suture/errors";

export const livepatchErrors = defineErrors({
  KLP_UNRESOLVED: {
    cause: "Patched code refers to a symbol that neither the kernel exports nor its symbol table has.",
    mend: "The source is not the one that this kernel was built from, or the fix needs another fix first: include that one too.",
  },
  KLP_CONSTANT_ONLY: {
    cause:
      "Patched code has a constant that the kernel fills in at boot, and the variable that it could read instead is not in the kernel: the compiler made it away, as all else reads the constant.",
    mend: "Reorganise the fix so that the function with runtime_const_*() stays as it is.",
  },
  KLP_AMBIGUOUS: {
    cause: "Several symbols of the kernel have the name that is needed, and nothing proves which one it is.",
    mend: "Rename the new use in the fix, or build with the exact source package so that the object's place in the image can be proven.",
  },
  KLP_TYPES: {
    cause: "The kernel's own types do not describe the livepatch structures.",
    mend: "The kernel needs CONFIG_LIVEPATCH and CONFIG_DEBUG_INFO_BTF.",
  },
  KLP_BAD_MODULE: {
    cause: "The module that was built, or given, is not a well-formed livepatch: loading it could crash the kernel.",
    mend: "Build it again; if Suture made it, report it with the inputs.",
  },
  KLP_NOT_LIVEPATCH: {
    cause: "The file is a kernel module, but no livepatch.",
    mend: "Give a livepatch module (its .modinfo says livepatch=Y).",
  },
  KLP_DUPLICATE_FUNCTION: {
    cause: "Two parts of the patch replace the same function.",
    mend: "Put the fixes into one patch of that function.",
  },
  KLP_DUPLICATE_CALLBACK: {
    cause: "A patch has two callbacks of one kind for the same object of the kernel, and the livepatch core calls one.",
    mend: "Make one callback that does both. Callbacks belong to vmlinux or to the module that their file is compiled into (docs/authoring.md#callbacks).",
  },
  KLP_STATE: {
    cause: "The states that a livepatch declares are not ones that the kernel can keep.",
    mend: "Give each state a number of its own from 1, and a version.",
  },
});

export const fail = livepatchErrors.fail;
