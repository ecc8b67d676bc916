import { defineErrors } from "@suture/errors";

export const cliErrors = defineErrors({
  CLI_USAGE: {
    cause: "The command line has a word, option or number of arguments that the command does not know.",
    mend: "`suture help COMMAND` shows what it takes.",
  },
  CLI_FILE: {
    cause: "A file or directory could not be read or written.",
    mend: "Check the path, its permissions and the space that is left.",
  },
  CLI_INTERNAL: {
    cause: "Suture met something that it did not expect: a fault in Suture itself.",
    mend: "Run it again with --verbose and report what it prints, with the inputs.",
  },
});

export const fail = cliErrors.fail;
