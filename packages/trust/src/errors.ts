import { defineErrors } from "@suture/errors";

export const trustErrors = defineErrors({
  TRUST_FORM: {
    cause:
      "Metadata of a repository, or a document that it signs, are not of the form that this version knows, or break a rule of the form.",
    mend: "Nothing of it was used. If it comes from your repository, write it by `suture repo`; if it persists, another mirror or a newer Suture may know it.",
  },
  TRUST_SIGNATURES: {
    cause: "Metadata are not signed by as many of their role's keys as it takes.",
    mend: "Nothing of it was used. Ask the repository's operators; if keys were changed, the new root must be signed by the old keys as well.",
  },
  TRUST_ROLLBACK: {
    cause: "A repository shows something older than what this machine has seen of it, or less of it.",
    mend: "A mirror that lags behind does so: try again, or another one. If it persists it is an attack, or a repository that was restored from a backup.",
  },
  TRUST_EXPIRED: {
    cause: "Signed metadata are past the time to which they are good, so that nobody can tell whether they are the newest.",
    mend: "What is loaded stays; nothing new is loaded. See to the clock of this machine; the repository's operators sign again (`suture repo status`).",
  },
  TRUST_MISMATCH: {
    cause: "A file of a repository is not the one that its signed metadata name: another length, SHA-256 or version.",
    mend: "A mirror in the middle of a copy does so: try again, or another one.",
  },
  TRUST_TOO_BIG: {
    cause: "A repository sends more than a file of that kind may have.",
    mend: "It was cut off. Try another mirror.",
  },
  TRUST_FETCH: {
    cause: "A file of a repository could not be fetched.",
    mend: "See to the network, the address and the mirror, and try again.",
  },
  TRUST_MISSING: {
    cause: "A repository lacks a file that must be there.",
    mend: "See whether the address is that of a repository; a mirror in the middle of a copy is whole again later.",
  },
  TRUST_DELEGATION: {
    cause: "A role of a repository signs what is not its own.",
    mend: "Nothing of it was used. Ask the repository's operators: the key of a role was used for something else.",
  },
  TRUST_FLEET: {
    cause: "A policy or a withdrawal is meant for another fleet.",
    mend: "See whether the address is that of your repository.",
  },
  TRUST_STORE: {
    cause: "What a machine keeps of a repository (its trusted metadata) is damaged, or not there.",
    mend: "Nothing is loaded by it. Set it up anew with the repository's root metadata, got by a way that you trust.",
  },
});

export const fail = trustErrors.fail;
