/** What is signed of a livepatch besides its length and SHA-256: `custom` of its target in the targets file of its kernel line. */
import * as v from "valibot";
import { said } from "../said.ts";
import { counter, digest, kernelBuildId, kernelRelease, line, word } from "./parts.ts";

/** A file that goes with the livepatch; it is a target of the same targets file. */
const besideSchema = v.strictObject({ path: said(line, "of its target"), sha256: digest });

export const patchTargetSchema = v.strictObject({
  suture: said(v.literal(1), "the version of this form"),
  name: said(word, "of the livepatch, as the kernel calls it"),
  kernel: said(v.strictObject({ release: kernelRelease, arch: word, buildId: kernelBuildId }), "the one that it is for"),
  counter: said(counter, "of the releases of the kernel line: each is greater than the one before, it never falls"),
  predecessor: said(
    v.nullable(digest),
    "SHA-256 of the release before, all of which is in this one; null of the first of a line, and of one that is not cumulative",
  ),
  replace: said(v.boolean(), "it replaces every other livepatch"),
  cves: v.array(line),
  proof: said(
    v.strictObject({ proven: v.boolean(), functions: v.pipe(v.number(), v.safeInteger(), v.minValue(0)), sha256: digest }),
    "of its manifest, with the SHA-256 of that as JSON.stringify writes it",
  ),
  inputs: said(digest, "SHA-256 of the inputs of its manifest, as JSON.stringify writes them"),
  keepsAddresses: said(v.boolean(), "the kernel may hold addresses of it for ever: it is disabled, never unloaded"),
  signer: said(v.nullable(line), "who the kernel's module signature names; null of one that is not signed for the kernel"),
  beside: said(
    v.strictObject({ manifest: besideSchema, account: v.nullable(besideSchema), review: v.nullable(besideSchema) }),
    "what people read before they signed it",
  ),
});

/** Of a livepatch in a repository. */
export type PatchTargetCustom = v.InferOutput<typeof patchTargetSchema>;
