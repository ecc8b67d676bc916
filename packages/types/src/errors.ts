import { defineErrors } from "@suture/errors";

export const typesErrors = defineErrors({
  BUILD_BAD_DWARF: {
    cause:
      "The debug information of an object is damaged, or of a kind that is not understood; the types of its variables cannot be compared.",
    mend: "Build the objects with gcc and -gdwarf-5, without -gz and -gsplit-dwarf; if it is one of Suture's own, report it with the inputs.",
  },
  BUILD_FOLDED: {
    cause:
      "After the fix nothing in the file writes a variable that the kernel has, so the compiler reads its initial value; the running kernel's may hold another.",
    mend: "Read it with READ_ONCE() where the fix needs what it holds, or take it out of the fix. If its initial value is right for the new code, say so with --accept-layout NAME.",
  },
  BUILD_RENUMBERED: {
    cause:
      "Enumerators, or macros that are the like, stand for other values than before; variables and structures of the running kernel hold the old ones.",
    mend: "Keep the values as they are, and give new names values that none had. If no data of the running kernel hold an old value, say so with --accept-layout NAME.",
  },
  BUILD_LAYOUT: {
    cause:
      "The patch changes how a structure lies in memory, or of which type a variable is, and the running kernel has such, made by the old code.",
    mend: "Keep the structure as it is and hold the new state in a shadow variable: by itself, where that is certain, with --shadow TYPE.MEMBER, or --hole TYPE.MEMBER where the member lies in padding (docs/means.md), otherwise by hand (docs/authoring.md#new-fields), or boot a fixed kernel. If nothing of the old kind is ever met by the new code (it lives on the stack of replaced functions only), say so with --accept-layout NAME.",
  },
});

export const fail = typesErrors.fail;
