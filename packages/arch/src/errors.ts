import { defineErrors } from "@suture/errors";

export const archErrors = defineErrors({
  ARCH_UNKNOWN: {
    cause: "The file is for a processor of which nothing is known here.",
    mend: "Give a file of an x86-64 kernel.",
  },
});

export const fail = archErrors.fail;
