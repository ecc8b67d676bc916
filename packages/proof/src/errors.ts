import { defineErrors } from "@suture/errors";

export const proofErrors = defineErrors({
  PROOF_NOT_AN_OBJECT: {
    cause: "A file to be proven is no relocatable x86-64 object.",
    mend: "Give an object (.o) as the kernel's build makes it.",
  },
  PROOF_NO_LAYOUT: {
    cause: "The kernel's own types do not describe the entries of a special table that an object has.",
    mend: "The kernel must be built with CONFIG_DEBUG_INFO_BTF=y, as every distribution's is.",
  },
  PROOF_BAD_TABLE: {
    cause: "A special table of an object or of the kernel is not a whole number of entries.",
    mend: "The object was not made by this kernel's build: build it again from the kernel's own source.",
  },
});

export const fail = proofErrors.fail;
