import { defineErrors } from "@suture/errors";

export const archErrors = defineErrors({
  ARCH_UNKNOWN: {
    cause: "The file, or this machine, is of a processor of which nothing is known here.",
    mend: "Give a file of an x86-64 kernel, and work on an x86-64 machine.",
  },
});

export const fail = archErrors.fail;
