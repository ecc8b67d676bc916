/** Documents of `suture repo`. */
import * as v from "valibot";
import { patchTargetSchema } from "../repository/patch-target.ts";
import { policySchema } from "../repository/policy.ts";
import { withdrawalsSchema } from "../repository/withdrawals.ts";
import { maybe, said } from "../said.ts";
import { documentKind } from "./document.ts";
import { bytes, flag, number, sha256, text, texts } from "./parts.ts";

const staged = said(texts, "roles with a next version that is not published yet");
const time = said(text, "UTC");

export const repoKeyDocument = documentKind("repo-key", 1, "`suture repo key new`: a key that was made.", {
  name: text,
  id: said(text, "by which signatures name it"),
  file: said(text, "the private half"),
  publicFile: text,
});

export const repoHoldersDocument = documentKind("repo-holders", 1, "`suture repo key list`: who holds which role.", {
  roles: v.array(
    v.strictObject({
      role: text,
      threshold: said(number, "signatures that it takes"),
      keys: v.array(v.strictObject({ name: text, id: text })),
    }),
  ),
});

export const repoStagedDocument = documentKind("repo-staged", 1, "`suture repo init`, `renew`, `key rotate`: what is to be signed now.", {
  folder: text,
  staged,
});

export const repoAddDocument = documentKind("repo-add", 1, "`suture repo add`: livepatches that were added.", {
  added: v.array(v.strictObject({ path: text, sha256, custom: patchTargetSchema })),
  staged,
});

export const repoSignDocument = documentKind("repo-sign", 1, "`suture repo sign`: what a key signs, or signed.", {
  key: text,
  digest: said(sha256, "over all of it: who has read it gives it as --read"),
  signed: flag,
  roles: v.array(v.strictObject({ role: text, version: number, expires: time, sha256, says: said(texts, "its contents in words") })),
});

export const repoTakeDocument = documentKind("repo-take", 1, "`suture repo sign --from`: signatures that were taken over.", {
  taken: v.array(v.strictObject({ role: text, key: text })),
  refused: said(texts, "roles of which other bytes were signed there"),
});

export const repoPolicyDocument = documentKind("repo-policy", 1, "`suture repo policy`: the policy as it is, or is to be.", {
  policy: policySchema,
  staged,
});

export const repoWithdrawDocument = documentKind("repo-withdraw", 1, "`suture repo withdraw`: all that is withdrawn.", {
  withdrawals: withdrawalsSchema,
  staged,
});

export const repoPublishDocument = documentKind("repo-publish", 1, "`suture repo publish`: what is published, or would be.", {
  folder: text,
  versions: said(v.record(v.string(), number), "of each role"),
  promoted: said(texts, "roles that are new with it"),
  waiting: said(texts, "roles that are not signed by enough, and wait"),
  notes: texts,
  written: said(number, "files"),
  check: said(flag, "nothing was written"),
});

export const repoMirrorDocument = documentKind(
  "repo-mirror",
  1,
  "`suture repo mirror`, `import`: a repository that was verified and copied.",
  {
    folder: text,
    fleet: text,
    timestamp: said(number, "the version"),
    signedAt: time,
    written: said(number, "files"),
  },
);

export const repoExportDocument = documentKind("repo-export", 1, "`suture repo export`: a repository in one file.", {
  file: text,
  files: number,
  bytes,
});

export const repoStatusDocument = documentKind("repo-status", 1, "`suture repo status`: what expires when, and who has not signed.", {
  fleet: text,
  roles: v.array(
    v.strictObject({
      role: text,
      version: maybe(said(number, "absent of one that was never published")),
      expires: maybe(time),
      state: said(v.picklist(["good", "soon", "expired", "unpublished"]), "soon: a quarter of its time is left"),
      threshold: number,
      keys: texts,
      staged: maybe(
        said(
          v.strictObject({
            version: number,
            expires: time,
            signed: texts,
            lacking: said(number, "signatures"),
            mayStillSign: texts,
          }),
          "the next version",
        ),
      ),
    }),
  ),
});
