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
  TRUST_KEY: {
    cause: "A key cannot be made, read or used.",
    mend: "Keys are made by `suture repo key new`. Without its passphrase a key is lost: the other holders of its role name another (docs/trust.md).",
  },
  TRUST_REPOSITORY: {
    cause: "The folder in which a repository is made is not there, is damaged, or does not hold what is asked for.",
    mend: "Give the folder that `suture repo init` made. `suture repo status` says what is in it.",
  },
  TRUST_UNPROVEN: {
    cause: "A livepatch that is to be added is not shown to fit the kernel that runs, or does not say so.",
    mend: "Build it with its proof. One that others built, or that is not proven, is added by --unproven; every machine is told.",
  },
  TRUST_ADD: {
    cause: "A file cannot be added to a repository.",
    mend: "Add a livepatch that Suture built, with an account and a review page that are of it. A counter or name is used once.",
  },
  TRUST_CHANGED: {
    cause: "What is to be signed is not what was read.",
    mend: "Read it again: `suture repo sign` without --read shows it, and its digest.",
  },
  TRUST_UNSIGNED: {
    cause: "What is to be published has not been signed by all that it takes.",
    mend: "`suture repo status` says who has not signed.",
  },
  TRUST_OLDER: {
    cause: "What is to be published is older, or less, than what is published.",
    mend: "The folder was restored from a backup, or another one was published meanwhile: bring the newest here first (`suture repo status`).",
  },
  TRUST_ARCHIVE: {
    cause: "A file that carries a repository over an air gap is damaged, or larger than it may be.",
    mend: "Carry it again: `suture repo export` writes it.",
  },
});

export const fail = trustErrors.fail;
