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
  CLI_FLEET: {
    cause: "The fleet's server does not answer, refuses, or nobody has logged in to it here.",
    mend: "See the address and the key that `suture fleet login` has kept, and what the server says.",
  },
  CLI_BUILD: {
    cause:
      "What is to be added by the id of a build is not in the repository's folder, is not what the server took from its builder, or is no good.",
    mend: "`suture fleet builds ID` says how it stands and in which folder it is. An operator has it built again: `suture fleet repeat-build ID`.",
  },
  CLI_NO_TYPES: {
    cause: "The file that --btf names is a kernel without types.",
    mend: "Give /sys/kernel/btf/vmlinux of a machine where it runs, or leave --btf out: what is needed of the types is then inferred, or said with --entry-size.",
  },
  TRY_REFUSED: {
    cause: "The module is not one that may be loaded, not even into a virtual machine: no livepatch, not well formed, or not proven.",
    mend: "Build it again; `suture inspect` shows what is in it.",
  },
  TRY_OTHER_KERNEL: {
    cause: "The livepatch was built for another kernel than the one that it is to be tried on.",
    mend: "Build it for that kernel, or leave out --kernel to try it on its own.",
  },
  CLI_INTERNAL: {
    cause: "Suture met something that it did not expect: a fault in Suture itself.",
    mend: "Run it again with --verbose and report what it prints, with the inputs.",
  },
});

export const fail = cliErrors.fail;
