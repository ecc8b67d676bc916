import { defineErrors } from "@suture/errors";
import { kbuildErrors } from "@suture/kbuild";

export const authoredErrors = defineErrors({
  EXTRACT_FUNCTION: {
    cause: "A function cannot be taken out of the kernel's source as the beginning of a livepatch.",
    mend: "Name one or more functions of one C file: FUNCTION, or FILE.c:FUNCTION.",
  },
  AUTHORED_SOURCE: {
    cause: "What --from names is no source of a livepatch that Suture can build.",
    mend: "Give a C file, or a folder of them, that says by <suture.h> what it replaces (docs/authoring.md), or that registers itself with klp_enable_patch().",
  },
  AUTHORED_DECLARATION: {
    cause: "A declaration of <suture.h> says something that cannot be.",
    mend: "Correct it; docs/authoring.md has them all.",
  },
  AUTHORED_TWICE: {
    cause: "Two declarations replace the same function, or give the same callback of the same object.",
    mend: "Make one function of the two.",
  },
  AUTHORED_SIGNATURE: {
    cause:
      "A function has other parameters than the kernel's that it replaces or is declared to be, or returns something else: calls would read what nobody has passed.",
    mend: "Give it exactly the parameters and the type that the kernel's has.",
  },
  AUTHORED_MISSING: {
    cause: "A function or variable that a livepatch names is not in the kernel that it is built for.",
    mend: "Correct the name, or build for the kernel that has it.",
  },
  AUTHORED_AMBIGUOUS: {
    cause: "Several functions or variables of the kernel have the name that a livepatch uses.",
    mend: "Say which file's is meant: SUTURE_REPLACE_IN or SUTURE_SYMBOL of <suture.h>.",
  },
  AUTHORED_NOT_REPLACEABLE: {
    cause: "The kernel cannot redirect calls of the function.",
    mend: "Replace the functions that call it instead.",
  },
  AUTHORED_EARLY: {
    cause: "A static key, static call or alternative of a module is used in code that is loaded before that module may be.",
    mend: "Ask the key at run time: static_key_enabled(&key). See docs/authoring.md#static-keys.",
  },
});

/** Its own refusals, and those of the packages below that it finds itself, too. */
export const { fail } = defineErrors({ ...kbuildErrors.kinds, ...authoredErrors.kinds });
