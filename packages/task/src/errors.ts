import { defineErrors } from "@suture/errors";

export const taskErrors = defineErrors({
  CANCELLED: {
    cause: "The run was cancelled (Ctrl-C or a signal) before it was done.",
    mend: "Nothing that a later run would trust was left behind: run it again.",
  },
  COMMAND_FAILED: {
    cause: "A program that Suture runs ended with an error.",
    mend: "Read what the program printed; --verbose shows every command.",
  },
  COMMAND_MISSING: {
    cause: "A program that Suture needs is not installed.",
    mend: "Install the package that holds it; scripts/setup.sh in a checkout installs all of them.",
  },
});

export const fail = taskErrors.fail;
